/**
 * Expressions of radial profiles as a graph of shared, simplified nodes. Whoever builds a node gets the simplest equal
 * one: constants are folded, like terms and powers are merged, products are pushed into branches. That is what makes
 * curvatures cancel symbolically (`√c·r/√c` is `r`), so that no curvature near 0 has to cancel in floating point.
 *
 * Products of sums stay factored, and a power of a sum keeps its base: nothing is expanded.
 */
import { PRIMITIVES, type Primitive } from './primitives.ts';

export interface Power {
  base: Node;
  exponent: number;
}
export interface Term {
  factor: number;
  node: Node;
}

export type Node = { readonly id: number } & (
  | { readonly op: 'num'; readonly value: number }
  | { readonly op: 'var'; readonly name: string }
  /** constant + Σ factor·node; no node is a number or a sum. */
  | { readonly op: 'sum'; readonly constant: number; readonly terms: readonly Term[] }
  /** Π base^exponent; no base is a number or a product of whole powers. */
  | { readonly op: 'product'; readonly powers: readonly Power[] }
  | { readonly op: 'call'; readonly name: Primitive; readonly arg: Node }
  /** left ≤ right ? yes : no. */
  | {
      readonly op: 'select';
      readonly left: Node;
      readonly right: Node;
      readonly yes: Node;
      readonly no: Node;
    }
);

type Shape = Node extends infer N ? (N extends { id: number } ? Omit<N, 'id'> : never) : never;

export class Algebra {
  private readonly known = new Map<string, Node>();
  private readonly nonNegative: ReadonlySet<string>;
  readonly zero = this.num(0);
  readonly one = this.num(1);

  /** `nonNegative`: variables of which √(x²) is x. */
  constructor(nonNegative: Iterable<string> = []) {
    this.nonNegative = new Set(nonNegative);
  }

  private intern(key: string, shape: Shape): Node {
    const found = this.known.get(key);
    if (found) return found;
    const node = { ...shape, id: this.known.size } as Node;
    this.known.set(key, node);
    return node;
  }

  num(value: number): Node {
    // −0 is 0: a sign that no reader wrote.
    const plain = value === 0 ? 0 : value;
    return this.intern(`n${plain}`, { op: 'num', value: plain });
  }

  variable(name: string): Node {
    return this.intern(`v${name}`, { op: 'var', name });
  }

  add(...parts: Node[]): Node {
    let constant = 0;
    const terms = new Map<Node, number>();
    const collect = (node: Node, factor: number): void => {
      if (node.op === 'num') constant += factor * node.value;
      else if (node.op === 'sum') {
        constant += factor * node.constant;
        for (const term of node.terms)
          terms.set(term.node, (terms.get(term.node) ?? 0) + factor * term.factor);
      } else terms.set(node, (terms.get(node) ?? 0) + factor);
    };
    for (const part of parts) collect(part, 1);
    const left = [...terms].filter(([, factor]) => factor !== 0).sort(([a], [b]) => a.id - b.id);
    return this.sum(
      constant,
      left.map(([node, factor]) => ({ node, factor })),
    );
  }

  private sum(constant: number, terms: Term[]): Node {
    if (terms.length === 0) return this.num(constant);
    if (constant === 0 && terms.length === 1 && terms[0].factor === 1) return terms[0].node;
    const key = `s${constant}|${terms.map(t => `${t.factor}*${t.node.id}`).join('+')}`;
    return this.intern(key, { op: 'sum', constant, terms });
  }

  scale(factor: number, node: Node): Node {
    if (factor === 0) return this.zero;
    if (factor === 1) return node;
    if (node.op === 'num') return this.num(factor * node.value);
    if (node.op === 'select')
      return this.select(node.left, node.right, this.scale(factor, node.yes), this.scale(factor, node.no));
    if (node.op === 'sum')
      return this.sum(
        factor * node.constant,
        node.terms.map(t => ({ ...t, factor: factor * t.factor })),
      );
    return this.sum(0, [{ factor, node }]);
  }

  sub(a: Node, b: Node): Node {
    return this.add(a, this.scale(-1, b));
  }

  mul(...factors: Node[]): Node {
    let coefficient = 1;
    const powers = new Map<Node, number>();
    for (let i = 0; i < factors.length; i++) {
      const node = factors[i];
      if (node.op === 'num') coefficient *= node.value;
      else if (node.op === 'select') {
        const rest = factors.filter((_, j) => j !== i);
        return this.select(node.left, node.right, this.mul(...rest, node.yes), this.mul(...rest, node.no));
      } else if (node.op === 'sum' && node.constant === 0 && node.terms.length === 1) {
        coefficient *= node.terms[0].factor;
        collect(node.terms[0].node);
      } else collect(node);
    }
    if (coefficient === 0) return this.zero;
    return this.scale(coefficient, this.product(powers));

    function collect(node: Node): void {
      const list = node.op === 'product' ? node.powers : [{ base: node, exponent: 1 }];
      for (const { base, exponent } of list) powers.set(base, (powers.get(base) ?? 0) + exponent);
    }
  }

  private product(powers: Map<Node, number>): Node {
    for (const [base, exponent] of [...powers]) {
      if (base.op !== 'product' || !Number.isInteger(exponent)) continue;
      powers.delete(base);
      for (const p of base.powers) powers.set(p.base, (powers.get(p.base) ?? 0) + p.exponent * exponent);
    }
    const left = [...powers].filter(([, exponent]) => exponent !== 0).sort(([a], [b]) => a.id - b.id);
    if (left.length === 0) return this.one;
    if (left.length === 1 && left[0][1] === 1) return left[0][0];
    const key = `p${left.map(([base, exponent]) => `${base.id}^${exponent}`).join('*')}`;
    return this.intern(key, { op: 'product', powers: left.map(([base, exponent]) => ({ base, exponent })) });
  }

  div(a: Node, b: Node): Node {
    return this.mul(a, this.pow(b, -1));
  }

  /** A constant power. Roots are those of non-negative numbers, so (√x)² is x. */
  pow(base: Node, exponent: number): Node {
    if (exponent === 0) return this.one;
    if (exponent === 1) return base;
    if (base.op === 'num') return this.num(base.value ** exponent);
    if (base.op === 'select')
      return this.select(base.left, base.right, this.pow(base.yes, exponent), this.pow(base.no, exponent));
    // (x²)^½ is |x|, not x: only whole powers, and powers of roots, go through.
    const through = ({ base: b, exponent: e }: Power) =>
      Number.isInteger(exponent) || !Number.isInteger(e) || (b.op === 'var' && this.nonNegative.has(b.name));
    if (base.op === 'product' && base.powers.every(through)) {
      return this.product(new Map(base.powers.map(p => [p.base, p.exponent * exponent])));
    }
    if (base.op === 'sum' && base.constant === 0 && base.terms.length === 1) {
      const [{ factor, node }] = base.terms;
      if (Number.isInteger(exponent) || factor > 0)
        return this.mul(this.num(factor ** exponent), this.pow(node, exponent));
    }
    return this.product(new Map([[base, exponent]]));
  }

  /** min, max and abs are selections: on the clamped side the derivative is that of the clamp, 0 for a constant. */
  select(left: Node, right: Node, yes: Node, no: Node): Node {
    if (left.op === 'num' && right.op === 'num') return left.value <= right.value ? yes : no;
    if (left === right) return yes;
    const inside = (node: Node, side: 'yes' | 'no'): Node =>
      node.op === 'select' && node.left === left && node.right === right ? inside(node[side], side) : node;
    const [a, b] = [inside(yes, 'yes'), inside(no, 'no')];
    if (a === b) return a;
    return this.intern(`?${left.id}<=${right.id}:${a.id}:${b.id}`, {
      op: 'select',
      left,
      right,
      yes: a,
      no: b,
    });
  }

  min(a: Node, b: Node): Node {
    return this.select(a, b, a, b);
  }

  max(a: Node, b: Node): Node {
    return this.select(b, a, a, b);
  }

  call(name: Primitive, arg: Node): Node {
    const { value, atZero } = PRIMITIVES[name];
    if (arg.op === 'num') {
      if (arg.value === 0 && atZero !== undefined) return this.num(atZero);
      const folded = value(arg.value);
      if (Number.isFinite(folded)) return this.num(folded);
    }
    // exp(log x) and log(exp x)
    if (
      arg.op === 'call' &&
      ((name === 'exp' && arg.name === 'log') || (name === 'log' && arg.name === 'exp'))
    )
      return arg.arg;
    return this.intern(`${name}(${arg.id})`, { op: 'call', name, arg });
  }

  /** x·F(x²): every odd function is one, with F smooth through 0 for both signs of its argument. */
  odd(name: Primitive, x: Node, sign: 1 | -1): Node {
    return this.mul(x, this.call(name, this.scale(sign, this.mul(x, x))));
  }
}

/** The same expression with every node, innermost first, replaced by what `of` makes of it. */
export function rebuild(al: Algebra, root: Node, of: (node: Node) => Node): Node {
  const done = new Map<Node, Node>();
  const go = (node: Node): Node => {
    const known = done.get(node);
    if (known) return known;
    const result = of(again(node));
    done.set(node, result);
    return result;
  };
  const again = (node: Node): Node => {
    switch (node.op) {
      case 'num':
      case 'var':
        return node;
      case 'sum':
        return al.add(al.num(node.constant), ...node.terms.map(t => al.scale(t.factor, go(t.node))));
      case 'product':
        return al.mul(...node.powers.map(p => al.pow(go(p.base), p.exponent)));
      case 'call':
        return al.call(node.name, go(node.arg));
      case 'select':
        return al.select(go(node.left), go(node.right), go(node.yes), go(node.no));
      default:
        return node satisfies never;
    }
  };
  return go(root);
}

/** Names of the variables a node reads. */
export function variablesOf(node: Node): Set<string> {
  const names = new Set<string>();
  const seen = new Set<Node>();
  const visit = (at: Node): void => {
    if (seen.has(at)) return;
    seen.add(at);
    if (at.op === 'var') names.add(at.name);
    for (const child of childrenOf(at)) visit(child);
  };
  visit(node);
  return names;
}

export function childrenOf(node: Node): Node[] {
  switch (node.op) {
    case 'num':
    case 'var':
      return [];
    case 'sum':
      return node.terms.map(t => t.node);
    case 'product':
      return node.powers.map(p => p.base);
    case 'call':
      return [node.arg];
    case 'select':
      return [node.left, node.right, node.yes, node.no];
    default:
      return node satisfies never;
  }
}
