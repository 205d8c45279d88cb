/** Where the text of a profile is undefined: evaluated as written, innermost part first. */
import type { Span } from '../../dsl/program.ts';
import type { Expression } from '../../dsl/space.ts';
import type { Environment } from './evaluate.ts';
import { arcsineOverRoot, sineOverRoot } from './primitives.ts';

export interface Hole {
  message: string;
  span: Span;
  /** The value, where all that was wanted is the value. */
  value?: number;
}

class Found extends Error {
  readonly hole: Hole;
  constructor(hole: Hole) {
    super(hole.message);
    this.hole = hole;
  }
}

/** The first part of an expression that has no value; with `wanted`, the value is returned where there is one. */
export function findHole(e: Expression, env: Environment, wanted = false): Hole | undefined {
  try {
    const value = evaluate(e, env);
    return wanted ? { message: '', span: e.span, value } : undefined;
  } catch (error) {
    if (error instanceof Found) return error.hole;
    throw error;
  }
}

const short = (value: number): string => String(Number(value.toPrecision(3)));

function evaluate(e: Expression, env: Environment): number {
  switch (e.kind) {
    case 'number':
      return e.value;
    case 'name':
      return env[e.name];
    case 'negate':
      return -evaluate(e.operand, env);
    case 'binary':
      return binary(e, evaluate(e.left, env), evaluate(e.right, env));
    case 'call':
      return call(
        e,
        e.args.map(arg => evaluate(arg, env)),
      );
    default:
      return e satisfies never;
  }
}

function binary(e: Expression & { kind: 'binary' }, a: number, b: number): number {
  switch (e.operator) {
    case '+':
      return a + b;
    case '-':
      return a - b;
    case '*':
      return a * b;
    case '/':
      if (b === 0) throw new Found({ message: 'it divides by 0', span: e.right.span });
      return a / b;
    case '^':
      if (a < 0 && !Number.isInteger(b))
        throw new Found({ message: `${short(a)} has no power ${short(b)}`, span: e.span });
      if (a === 0 && b < 0) throw new Found({ message: 'it divides by 0', span: e.left.span });
      return a ** b;
    default:
      return e.operator satisfies never;
  }
}

function call(e: Expression & { kind: 'call' }, [x, y]: number[]): number {
  const outside = (holds: boolean, of = x): void => {
    if (holds) throw new Found({ message: `${e.name} of ${short(of)}`, span: e.span });
  };
  switch (e.name) {
    case 'sqrt':
      outside(x < 0);
      return Math.sqrt(x);
    case 'log':
      outside(x <= 0);
      return Math.log(x);
    case 'log1p':
      outside(x <= -1);
      return Math.log1p(x);
    case 'asin':
      outside(Math.abs(x) > 1);
      return Math.asin(x);
    case 'sin_k':
      return y * sineOverRoot(x * y * y)[0];
    case 'asin_k':
      outside(x * y * y > 1, Math.sqrt(Math.abs(x)) * y);
      return y * arcsineOverRoot(x * y * y)[0];
    case 'min':
      return Math.min(x, y);
    case 'max':
      return Math.max(x, y);
    default:
      return Math[e.name](x);
  }
}
