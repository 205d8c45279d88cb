/**
 * Difference quotients: Q[F] = (F(r) − F(0))/r as an expression that neither divides by r nor subtracts what is nearly
 * equal. Rules instead of limits, each an identity:
 *
 *     Q[r] = 1         Q[F + G] = Q[F] + Q[G]         Q[F·G] = Q[F]·G + F(0)·Q[G]
 *     Q[Fⁿ] = Q[F]·(Fⁿ⁻¹ + Fⁿ⁻²F₀ + …)        Q[1/F] = −Q[F]/(F·F₀)        Q[√F] = Q[F]/(√F + √F₀)
 *     Q[f(F)] = (f(F) − f(F₀))/(F − F₀) · Q[F]
 *
 * with divided differences of f that are known in closed form: e^a·(e^d − 1)/d, log(1 + d/a)/d, −½·S(u/4)² for cos √u at 0.
 * A gain is Q of a profile. Nothing in it is specific to r, so 0/0 in a parameter is resolved by the same rules.
 */
import { type Algebra, childrenOf, type Node, type Power, rebuild } from './algebra.ts';
import { slope, Unsupported } from './derive.ts';
import { SLOPES } from './primitives.ts';

/** What decides a comparison at 0 of the variable: a sample of parameters. */
export type Decide = (left: Node, right: Node) => 'yes' | 'no' | 'unclear';

export class Quotient {
  private readonly al: Algebra;
  private readonly name: string;
  private readonly decide: Decide;
  private readonly zeros = new Map<Node, Node>();
  private readonly quotients = new Map<Node, Node>();
  /** What decides between a short step and a plain quotient, below; the quotient has no value at 0. */
  private readonly approximate = new Set<Node>();
  private readonly dependence = new Map<Node, boolean>();

  constructor(al: Algebra, name: string, decide: Decide) {
    this.al = al;
    this.name = name;
    this.decide = decide;
  }

  /** The value at 0. */
  atZero(node: Node): Node {
    const known = this.zeros.get(node);
    if (known) return known;
    const value = this.valueAtZero(node);
    this.zeros.set(node, value);
    return value;
  }

  private valueAtZero(node: Node): Node {
    const { al } = this;
    if (!this.depends(node)) return node;
    switch (node.op) {
      case 'num':
        return node;
      case 'var':
        return node.name === this.name ? al.zero : node;
      case 'sum':
        return al.add(al.num(node.constant), ...node.terms.map(t => al.scale(t.factor, this.atZero(t.node))));
      case 'product': {
        const vanishes = (p: Power) => this.depends(p.base) && this.atZero(p.base) === al.zero;
        if (!node.powers.some(vanishes))
          return al.mul(...node.powers.map(p => al.pow(this.atZero(p.base), p.exponent)));
        const { order, rest } = this.split(node);
        if (order < 0) throw new Unsupported('it diverges at 0');
        return order > 0 ? al.zero : al.mul(...rest.map(f => this.atZero(f)));
      }
      case 'call':
        return al.call(node.name, this.atZero(node.arg));
      case 'select':
        if (this.free(node))
          return al.select(node.left, node.right, this.atZero(node.yes), this.atZero(node.no));
        return this.atZero(this.winner(node) === 'yes' ? node.yes : node.no);
      default:
        return node satisfies never;
    }
  }

  /** The value at 0; a branch that does not hold there may have none. */
  private zeroIfAny(node: Node): Node | undefined {
    try {
      return this.atZero(node);
    } catch (error) {
      if (!(error instanceof Unsupported)) throw error;
      return undefined;
    }
  }

  /** What is selected does not depend on the variable. */
  private free({ left, right }: Node & { op: 'select' }): boolean {
    return !this.depends(left) && !this.depends(right);
  }

  private winner(node: Node & { op: 'select' }): 'yes' | 'no' {
    const found = this.decide(this.atZero(node.left), this.atZero(node.right));
    if (found === 'unclear') {
      const yes = this.zeroIfAny(node.yes);
      if (yes && yes === this.zeroIfAny(node.no)) return 'yes';
      throw new Unsupported('which side of a min or max holds at 0 depends on the parameters');
    }
    return found;
  }

  /** (node − node(0))/variable. */
  of(node: Node): Node {
    const known = this.quotients.get(node);
    if (known) return known;
    const result = this.build(node);
    this.quotients.set(node, result);
    return result;
  }

  /** The same value, written as variable·Q where it vanishes at 0: accurate there, relative to itself. */
  steady(node: Node): Node {
    const { al } = this;
    if (node.op === 'num' || node.op === 'var' || !this.depends(node)) return node;
    if (this.zeroIfAny(node) === al.zero) return al.mul(al.variable(this.name), this.of(node));
    return node;
  }

  private build(node: Node): Node {
    const { al } = this;
    if (!this.depends(node)) return al.zero;
    switch (node.op) {
      case 'num':
        return al.zero;
      case 'var':
        return al.one;
      case 'sum':
        return al.add(...node.terms.map(t => al.scale(t.factor, this.of(t.node))));
      case 'product':
        return this.ofProduct(node);
      case 'call':
        return al.mul(this.dividedCall(node), this.of(node.arg));
      case 'select': {
        if (this.free(node)) return al.select(node.left, node.right, this.of(node.yes), this.of(node.no));
        const held = this.atZero(node);
        const side = (branch: Node): Node => {
          const fits = branch === node.yes || !this.approximate.has(node.left);
          if (fits && this.zeroIfAny(branch) === held) return this.of(branch);
          return al.mul(al.sub(branch, held), al.pow(al.variable(this.name), -1));
        };
        return al.select(node.left, node.right, side(node.yes), side(node.no));
      }
      default:
        return node satisfies never;
    }
  }

  private depends(node: Node): boolean {
    if (node.op === 'var') return node.name === this.name;
    const known = this.dependence.get(node);
    if (known !== undefined) return known;
    const result = childrenOf(node).some(child => this.depends(child));
    this.dependence.set(node, result);
    return result;
  }

  /** Π as variable^order · Π rest, with every factor of the rest finite and, as far as can be seen, not 0 at 0. */
  private split(node: Node & { op: 'product' }): { order: number; rest: Node[] } {
    const { al } = this;
    let order = 0;
    const rest = node.powers.map(({ base, exponent }) => {
      let inner = base;
      let taken = 0;
      while (this.depends(inner) && this.atZero(inner) === al.zero) {
        inner = this.of(inner);
        if (++taken > 8) throw new Unsupported('a factor vanishes at 0 with all its derivatives');
      }
      order += taken * exponent;
      return al.pow(inner, exponent);
    });
    return { order, rest };
  }

  /** The same value without 0/0 at 0 of the variable, where that can be seen. */
  regular(root: Node): Node {
    const { al } = this;
    return rebuild(al, root, node => {
      if (node.op !== 'product') return node;
      const vanishing = node.powers.filter(p => this.depends(p.base) && this.atZero(p.base) === al.zero);
      // A root of what changes its sign is not taken at 0.
      if (!vanishing.some(p => p.exponent < 0) || !vanishing.every(p => Number.isInteger(p.exponent)))
        return node;
      const { order, rest } = this.split(node);
      return al.mul(al.pow(al.variable(this.name), order), ...rest);
    });
  }

  /** Every part that vanishes at 0 written as variable·Q, so that it is accurate relative to itself. */
  steadied(root: Node): Node {
    return rebuild(this.al, root, node =>
      node.op === 'sum' || node.op === 'call' ? this.steady(node) : node,
    );
  }

  private ofProduct(node: Node & { op: 'product' }): Node {
    const { al } = this;
    const { order, rest } = this.split(node);
    if (order === 0) return this.ofFinite(rest);
    if (order >= 1) return al.mul(al.pow(al.variable(this.name), order - 1), ...rest);
    throw new Unsupported(order > 0 ? 'its slope at 0 is infinite' : 'it diverges at 0');
  }

  /** Q of Π factors, all finite at 0. */
  private ofFinite(factors: Node[]): Node {
    const { al } = this;
    const parts = factors.map((factor, i) => {
      const before = factors.slice(0, i).map(f => this.atZero(f));
      return al.mul(...before, this.ofPower(factor), ...factors.slice(i + 1));
    });
    return al.add(...parts);
  }

  private ofPower(node: Node): Node {
    const { al } = this;
    if (node.op !== 'product') return this.of(node);
    if (node.powers.length > 1) return this.ofFinite(node.powers.map(p => al.pow(p.base, p.exponent)));
    const [{ base, exponent }] = node.powers;
    const first = this.atZero(base);
    if (exponent < 0) {
      // Q[1/P] = −Q[P]/(P·P₀) with P = base^|exponent|
      const whole = al.pow(base, -exponent);
      return al.scale(-1, al.mul(this.ofPower(whole), al.pow(base, exponent), al.pow(first, exponent)));
    }
    const inner = this.of(base);
    const half = exponent - Math.floor(exponent);
    if (half === 0) {
      const terms = Array.from({ length: exponent }, (_, i) =>
        al.mul(al.pow(base, exponent - 1 - i), al.pow(first, i)),
      );
      return al.mul(inner, al.add(...terms));
    }
    if (half === 0.5) {
      const root = al.div(inner, al.add(al.pow(base, 0.5), al.pow(first, 0.5)));
      if (exponent === 0.5) return root;
      const whole = al.pow(base, exponent - 0.5);
      return al.add(al.mul(root, whole), al.mul(al.pow(first, 0.5), this.ofPower(whole)));
    }
    return this.of(al.call('exp', al.scale(exponent, al.call('log', base))));
  }

  /** (f(b) − f(a))/(b − a) with b = arg and a = arg(0). */
  private dividedCall(node: Node & { op: 'call' }): Node {
    const { al } = this;
    const { name, arg } = node;
    const a = this.atZero(arg);
    const d = a === al.zero ? this.steady(arg) : al.mul(al.variable(this.name), this.of(arg));
    if (name === 'exp') return al.mul(al.call('exp', a), al.call('E', d));
    if (name === 'log') return al.mul(al.call('L', al.div(d, a)), al.pow(a, -1));
    if (name === 'C' && a === al.zero) {
      const s = al.call('S', al.scale(0.25, d));
      return al.scale(-0.5, al.mul(s, s));
    }
    if (SLOPES.has(name)) throw new Unsupported('too many of its parts vanish at 0 at once');
    // Halfway between: f'(a + d/2) where d is small, error d²f'''/24; the plain quotient where it is not.
    const middle = al.add(a, al.scale(0.5, d));
    const near = slope(al, name, middle, al.call(name, middle));
    const far = al.div(al.sub(al.call(name, arg), al.call(name, a)), d);
    const square = al.mul(d, d);
    this.approximate.add(square);
    return al.select(square, al.num(1e-4), near, far);
  }
}
