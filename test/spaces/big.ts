/** Expressions in fixed point with 240 binary digits, from their text: the judge of what floating point and algebra make of them. */
import type { Expression } from '../../dsl/space.ts';

const BITS = 240n;
const ONE = 1n << BITS;
const GUARD = 1n << (BITS - 8n);

export type Big = bigint;
export type BigEnvironment = Record<string, Big>;

/** Exact: every double in reach is a fixed-point number. */
export function big(value: number): Big {
  if (!Number.isFinite(value)) throw new Error(`${value} has no fixed-point form`);
  let exponent = 0;
  let v = value;
  while (!Number.isInteger(v) && exponent < 1100) {
    v *= 2;
    exponent++;
  }
  return (BigInt(v) * ONE) / (1n << BigInt(exponent));
}

export function toNumber(x: Big): number {
  const sign = x < 0n ? -1 : 1;
  const size = x < 0n ? -x : x;
  const shift = BigInt(Math.max(size.toString(2).length - 60, 0));
  return (sign * Number(size >> shift) * 2 ** Number(shift)) / 2 ** Number(BITS);
}

export const times = (a: Big, b: Big): Big => (a * b) >> BITS;
export const over = (a: Big, b: Big): Big => (a << BITS) / b;

function squareRoot(x: Big): Big {
  if (x < 0n) throw new Error('a root of a negative number');
  if (x === 0n) return 0n;
  const of = x << BITS;
  let guess = 1n << BigInt((of.toString(2).length + 1) >> 1);
  for (;;) {
    const next = (guess + of / guess) >> 1n;
    if (next >= guess) return guess;
    guess = next;
  }
}

function exponential(x: Big): Big {
  // e^x = (e^(x/2^k))^(2^k)
  const k = BigInt(Math.max(0, (x < 0n ? -x : x).toString(2).length - Number(BITS) + 12));
  const small = x >> k;
  let [sum, term] = [ONE, ONE];
  for (let i = 1n; term !== 0n && i < 200n; i++) {
    term = times(term, small) / i;
    sum += term;
  }
  for (let i = 0n; i < k; i++) sum = times(sum, sum);
  return sum;
}

function logarithm(x: Big): Big {
  if (x <= 0n) throw new Error('a logarithm of what is not above 0');
  let y = big(Math.log(toNumber(x)));
  for (let i = 0; i < 4; i++) {
    const e = exponential(y);
    y += over(2n * (x - e), x + e);
  }
  return y;
}

function sineCosine(x: Big): [Big, Big] {
  const small = x >> 10n;
  let [s, c, term] = [small, ONE, small];
  const square = times(small, small);
  for (let i = 2n; i < 80n; i += 2n) {
    term = -times(term, square) / (i * (i + 1n));
    s += term;
  }
  term = ONE;
  for (let i = 1n; i < 80n; i += 2n) {
    term = -times(term, square) / (i * (i + 1n));
    c += term;
  }
  for (let i = 0; i < 10; i++) [s, c] = [2n * times(s, c), times(c, c) - times(s, s)];
  return [s, c];
}

function arctangent(x: Big): Big {
  let y = big(Math.atan(toNumber(x)));
  for (let i = 0; i < 5; i++) {
    const [s, c] = sineCosine(y);
    // tan(y + d) ≈ x: d = (x·cos y − sin y)/(cos y + x·sin y)
    y += over(times(x, c) - s, c + times(x, s));
  }
  return y;
}

const sinh = (x: Big): Big => {
  if (x > -GUARD && x < GUARD) {
    let [sum, term] = [x, x];
    const square = times(x, x);
    for (let i = 2n; i < 80n; i += 2n) {
      term = times(term, square) / (i * (i + 1n));
      sum += term;
    }
    return sum;
  }
  const e = exponential(x);
  return (e - over(ONE, e)) >> 1n;
};
const cosh = (x: Big): Big => (exponential(x) + exponential(-x)) >> 1n;

export function evaluateBig(e: Expression, env: BigEnvironment): Big {
  const go = (of: Expression) => evaluateBig(of, env);
  switch (e.kind) {
    case 'number':
      return big(e.value);
    case 'name':
      return env[e.name];
    case 'negate':
      return -go(e.operand);
    case 'binary': {
      const [a, b] = [go(e.left), go(e.right)];
      switch (e.operator) {
        case '+':
          return a + b;
        case '-':
          return a - b;
        case '*':
          return times(a, b);
        case '/':
          return over(a, b);
        default: {
          const n = toNumber(b);
          if (!Number.isInteger(n)) return exponential(times(b, logarithm(a)));
          let power = ONE;
          for (let i = 0; i < Math.abs(n); i++) power = times(power, a);
          return n < 0 ? over(ONE, power) : power;
        }
      }
    }
    default:
      return call(e.name, e.args.map(go));
  }
}

function call(name: (Expression & { kind: 'call' })['name'], [x, y]: Big[]): Big {
  switch (name) {
    case 'sqrt':
      return squareRoot(x);
    case 'exp':
      return exponential(x);
    case 'log':
      return logarithm(x);
    case 'log1p':
      return logarithm(ONE + x);
    case 'sin':
      return sineCosine(x)[0];
    case 'cos':
      return sineCosine(x)[1];
    case 'tan': {
      const [s, c] = sineCosine(x);
      return over(s, c);
    }
    case 'asin':
      return arctangent(over(x, squareRoot(ONE - times(x, x))));
    case 'atan':
      return arctangent(x);
    case 'sinh':
      return sinh(x);
    case 'cosh':
      return cosh(x);
    case 'tanh':
      return over(sinh(x), cosh(x));
    case 'asinh':
      return logarithm(x + squareRoot(ONE + times(x, x)));
    case 'sin_k': {
      if (x === 0n) return y;
      const s = squareRoot(x < 0n ? -x : x);
      return over(x < 0n ? sinh(times(s, y)) : sineCosine(times(s, y))[0], s);
    }
    case 'asin_k': {
      if (x === 0n) return y;
      const s = squareRoot(x < 0n ? -x : x);
      return over(call(x < 0n ? 'asinh' : 'asin', [times(s, y)]), s);
    }
    case 'abs':
      return x < 0n ? -x : x;
    case 'min':
      return x < y ? x : y;
    case 'max':
      return x > y ? x : y;
    default:
      return name satisfies never;
  }
}
