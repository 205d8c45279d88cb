/** Values of expressions in float64, or, given a rounding, as float32 arithmetic would find them. */
import type { Node, Power } from './algebra.ts';
import { type Factor, fraction } from './fraction.ts';
import { PRIMITIVES } from './primitives.ts';

/** The radius; no parameter can be called so. */
export const RADIUS = '#r';

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
  const product = (powers: readonly Power[]): number => {
    if (round === exact) return powers.reduce((all, p) => all * go(p.base) ** p.exponent, 1);
    const { above, below } = fraction(powers, RADIUS);
    let all = 1;
    for (let i = 0; i < Math.max(above.length, below.length); i++) {
      if (i < above.length) all = round(all * factor(above[i]));
      if (i < below.length) all = round(all / factor(below[i]));
    }
    return all;
  };
  const factor = (f: Factor): number => {
    switch (f.kind) {
      case 'whole':
        return go(f.node);
      case 'square':
        return round(go(f.node) ** 2);
      case 'part':
        return round(go(f.node) ** f.exponent);
      case 'slope':
        return round((1 + Math.abs(go(f.node.arg))) * PRIMITIVES[f.node.name].value(go(f.node.arg)));
      case 'spread':
        return round(1 + Math.abs(go(f.node)));
      default:
        return f satisfies never;
    }
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
        return product(node.powers);
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
