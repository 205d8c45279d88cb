/**
 * From radial profiles to what a kernel computes. With q = r², r = ‖v‖:
 *
 *     gain = profile(r)/r            a difference quotient at 0, so no division by r and nothing cancels there
 *     euler = r·∂gain/∂r = 2q·∂gain/∂q
 *     byStored[i] = ∂gain/∂(stored form of parameter i): log c for positive, k for real, logit u for unit
 */
import type { Expression, SpaceDefinition, SpaceParameter, SpaceProfile } from '../../dsl/space.ts';
import { Algebra, type Node, variablesOf } from './algebra.ts';
import { derive } from './derive.ts';
import { evaluator, RADIUS } from './evaluate.ts';
import { Quotient } from './quotient.ts';
import { samplesOf } from './samples.ts';

/** A clamp that depends on the radius on one side only: it acts where left ≤ right is `when`. */
export interface Guard {
  left: Node;
  right: Node;
  when: 'yes' | 'no';
}

export interface Gains {
  profile: Node;
  gain: Node;
  euler: Node;
  byStored: Node[];
  guards: Guard[];
  /** ∂gain/∂r is 0 at 0: ∂gain/∂q has a limit there. */
  smooth: boolean;
}

export interface RadialSpace {
  definition: SpaceDefinition;
  al: Algebra;
  lift: Gains;
  drop: Gains;
  /** Neither map does anything: plain LoRA. */
  flat: boolean;
}

export function radialSpace(definition: SpaceDefinition): RadialSpace {
  const { parameters } = definition;
  const nonNegative = parameters.filter(p => p.domain !== 'real').map(p => p.name);
  const al = new Algebra([RADIUS, ...nonNegative]);
  const lift = gainsOf(al, definition.lift, parameters);
  const drop = gainsOf(al, definition.drop, parameters);
  return { definition, al, lift, drop, flat: lift.gain === al.one && drop.gain === al.one };
}

function gainsOf(al: Algebra, profile: SpaceProfile, parameters: readonly SpaceParameter[]): Gains {
  const guards: Guard[] = [];
  const samples = samplesOf(parameters);
  const decide = (left: Node, right: Node) => {
    const holds = samples.map(env => {
      const value = evaluator({ ...env, [RADIUS]: 0 });
      return value(left) <= value(right);
    });
    if (holds.every(Boolean)) return 'yes';
    return holds.some(Boolean) ? 'unclear' : 'no';
  };
  const built = fromExpression(al, profile.body, profile.variable, guards);
  const quotient = new Quotient(al, RADIUS, decide);
  let gain = quotient.steadied(quotient.of(built));
  for (const { name, domain } of parameters) {
    if (domain === 'real') gain = new Quotient(al, name, decide).regular(gain);
  }
  const r = al.variable(RADIUS);
  const bySlope = derive(al, gain, name => (name === RADIUS ? al.one : undefined));
  const smooth = samples.every(env => Math.abs(evaluator({ ...env, [RADIUS]: 0 })(bySlope)) < 1e-9);
  return {
    profile: built,
    gain,
    euler: derive(al, gain, name => (name === RADIUS ? r : undefined)),
    byStored: parameters.map(p => derive(al, gain, name => (name === p.name ? byStored(al, p) : undefined))),
    guards,
    smooth,
  };
}

/** ∂parameter/∂stored. */
function byStored(al: Algebra, { name, domain }: SpaceParameter): Node {
  const value = al.variable(name);
  if (domain === 'real') return al.one;
  return domain === 'positive' ? value : al.mul(value, al.sub(al.one, value));
}

export function fromExpression(al: Algebra, root: Expression, variable: string, guards: Guard[] = []): Node {
  const go = (e: Expression): Node => {
    switch (e.kind) {
      case 'number':
        return al.num(e.value);
      case 'name':
        return al.variable(e.name === variable ? RADIUS : e.name);
      case 'negate':
        return al.scale(-1, go(e.operand));
      case 'binary':
        return binary(al, e.operator, go(e.left), go(e.right));
      case 'call':
        return call(e.name, e.args.map(go));
      default:
        return e satisfies never;
    }
  };
  const call = (name: (Expression & { kind: 'call' })['name'], [x, y]: Node[]): Node => {
    switch (name) {
      case 'sqrt':
        return al.pow(x, 0.5);
      case 'exp':
      case 'log':
        return al.call(name, x);
      case 'log1p':
        return al.mul(x, al.call('L', x));
      case 'sin':
        return al.odd('S', x, 1);
      case 'sinh':
        return al.odd('S', x, -1);
      case 'tan':
        return al.odd('T', x, 1);
      case 'tanh':
        return al.odd('T', x, -1);
      case 'asin':
        return al.odd('A', x, 1);
      case 'asinh':
        return al.odd('A', x, -1);
      case 'atan':
        return al.odd('N', x, 1);
      case 'cos':
        return al.call('C', al.mul(x, x));
      case 'cosh':
        return al.call('C', al.scale(-1, al.mul(x, x)));
      case 'sin_k':
        return al.mul(y, al.call('S', al.mul(x, y, y)));
      case 'asin_k':
        return al.mul(y, al.call('A', al.mul(x, y, y)));
      case 'abs':
        return al.select(al.zero, x, x, al.scale(-1, x));
      case 'min':
        note(x, y, x);
        return al.min(x, y);
      case 'max':
        note(y, x, x);
        return al.max(x, y);
      default:
        return name satisfies never;
    }
  };
  /** Remembers a clamp: one side depends on the radius, the other does not. left ≤ right gives `yes`. */
  const note = (left: Node, right: Node, yes: Node): void => {
    const [l, r] = [left, right].map(n => variablesOf(n).has(RADIUS));
    if (l !== r) guards.push({ left, right, when: variablesOf(yes).has(RADIUS) ? 'no' : 'yes' });
  };
  return go(root);
}

function binary(al: Algebra, operator: '+' | '-' | '*' | '/' | '^', a: Node, b: Node): Node {
  switch (operator) {
    case '+':
      return al.add(a, b);
    case '-':
      return al.sub(a, b);
    case '*':
      return al.mul(a, b);
    case '/':
      return al.div(a, b);
    case '^':
      return b.op === 'num' ? al.pow(a, b.value) : al.call('exp', al.mul(b, al.call('log', a)));
    default:
      return operator satisfies never;
  }
}
