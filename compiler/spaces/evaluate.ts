/** Values of expressions in float64, or, given a rounding, as float32 arithmetic would find them. */
import type { Node } from './algebra.ts';
import { PRIMITIVES } from './primitives.ts';

export type Environment = Readonly<Record<string, number>>;
export type Rounding = (value: number) => number;

const exact: Rounding = value => value;

/**
 * An evaluator over one environment that remembers what it has found. A division by 0 in a branch not taken is no harm:
 * only the branch that holds is evaluated.
 */
export function evaluator(env: Environment, round: Rounding = exact): (node: Node) => number {
  const known = new Map<Node, number>();
  const go = (node: Node): number => {
    const found = known.get(node);
    if (found !== undefined) return found;
    const value = round(one(node));
    known.set(node, value);
    return value;
  };
  const one = (node: Node): number => {
    switch (node.op) {
      case 'num':
        return node.value;
      case 'var':
        return env[node.name];
      case 'sum':
        return node.terms.reduce((sum, t) => round(sum + round(t.factor * go(t.node))), node.constant);
      case 'product':
        return product(
          node.powers.map(p => [go(p.base), p.exponent]),
          round,
        );
      case 'call':
        return PRIMITIVES[node.name].value(go(node.arg));
      case 'select':
        return go(node.left) <= go(node.right) ? go(node.yes) : go(node.no);
      default:
        return node satisfies never;
    }
  };
  return go;
}

/** Factors above and below the fraction line in turn, so that no partial product strays far from the whole. */
function product(powers: [value: number, exponent: number][], round: Rounding): number {
  if (round === exact) return powers.reduce((all, [value, exponent]) => all * value ** exponent, 1);
  const above: number[] = [];
  const below: number[] = [];
  for (const [value, exponent] of powers) {
    const side = exponent > 0 ? above : below;
    const size = Math.abs(exponent);
    for (let i = 1; i <= size; i++) side.push(value);
    if (size % 1 !== 0) side.push(round(value ** (size % 1)));
  }
  let all = 1;
  for (let i = 0; i < Math.max(above.length, below.length); i++) {
    if (i < above.length) all = round(all * above[i]);
    if (i < below.length) all = round(all / below[i]);
  }
  return all;
}
