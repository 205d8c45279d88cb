/**
 * Exact derivatives of expressions. A derivation is given by what it makes of the variables: r → 1 is ∂/∂r, r → r is
 * r·∂/∂r, c → c is ∂/∂log c. The scaled ones keep their size where r is 1e18 or 1e-18, and ∂/∂r does not.
 */
import type { Algebra, Node } from './algebra.ts';
import type { Primitive } from './primitives.ts';

export class Unsupported extends Error {}

export function derive(al: Algebra, root: Node, ofVariable: (name: string) => Node | undefined): Node {
  const done = new Map<Node, Node>();
  const go = (node: Node): Node => {
    const known = done.get(node);
    if (known) return known;
    const result = one(node);
    done.set(node, result);
    return result;
  };
  const one = (node: Node): Node => {
    switch (node.op) {
      case 'num':
        return al.zero;
      case 'var':
        return ofVariable(node.name) ?? al.zero;
      case 'sum':
        return al.add(...node.terms.map(t => al.scale(t.factor, go(t.node))));
      case 'product':
        return al.add(
          ...node.powers.map(({ base, exponent }) => {
            const inner = go(base);
            if (inner === al.zero) return al.zero;
            return al.scale(exponent, al.mul(inner, al.pow(base, -1), node));
          }),
        );
      case 'call': {
        const inner = go(node.arg);
        return inner === al.zero ? al.zero : al.mul(slope(al, node.name, node.arg, node), inner);
      }
      case 'select':
        return al.select(node.left, node.right, go(node.yes), go(node.no));
      default:
        return node satisfies never;
    }
  };
  return go(root);
}

const FIRST: Partial<Record<Primitive, Primitive>> = { S: 'S1', T: 'T1', A: 'A1', N: 'N1', L: 'L1', E: 'E1' };

/** f'(arg), where `node` is f(arg). */
export function slope(al: Algebra, name: Primitive, arg: Node, node: Node): Node {
  const first = FIRST[name];
  if (first) return al.call(first, arg);
  switch (name) {
    case 'exp':
      return node;
    case 'log':
      return al.pow(arg, -1);
    case 'C':
      return al.scale(-0.5, al.call('S', arg));
    default:
      return second(al, name, arg);
  }
}

/** Derivatives of derivatives, from the differential equations; they cancel near 0 and only deep nestings meet them. */
function second(al: Algebra, name: Primitive, x: Node): Node {
  const over = (top: Node, by: Node) => al.div(top, by);
  const three = (of: Primitive) => al.scale(-3, al.call(of, x));
  switch (name) {
    case 'S1': // (2u S1)' = −S/2 − S1
      return over(al.add(al.scale(-0.5, al.call('S', x)), three('S1')), al.scale(2, x));
    case 'A1': // (2u A1)' = ½(1 − u)^(−3/2) − A1
      return over(al.add(al.scale(0.5, al.pow(al.sub(al.one, x), -1.5)), three('A1')), al.scale(2, x));
    case 'N1':
      return over(al.add(al.scale(-1, al.pow(al.add(al.one, x), -2)), three('N1')), al.scale(2, x));
    case 'T1': {
      const t = al.call('T', x);
      return over(
        al.add(al.mul(t, t), al.scale(2, al.mul(x, t, al.call('T1', x))), three('T1')),
        al.scale(2, x),
      );
    }
    case 'L1':
      return over(al.add(al.scale(-1, al.pow(al.add(al.one, x), -2)), al.scale(-2, al.call('L1', x))), x);
    case 'E1':
      return over(al.add(al.call('exp', x), al.scale(-2, al.call('E1', x))), x);
    default:
      throw new Unsupported(`second derivative of ${name}`);
  }
}
