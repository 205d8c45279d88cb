/**
 * The functions of one variable that expressions are made of, in float64. Odd functions enter as x·F(x²), so that each F
 * is smooth through 0 and one F serves a function and its hyperbolic twin: sin x = x·S(x²), sinh x = x·S(−x²). What loses
 * everything near 0 in its textbook form, log(1 + x) and eˣ − 1, enters as its quotient by x. A name with a 1 behind it is
 * the derivative.
 *
 *     S  sin √u/√u      T  tan √u/√u      A  asin √u/√u      N  atan √u/√u      C  cos √u
 *     L  log(1+x)/x     E  (eˣ−1)/x
 *
 * Each has a twin in WGSL (kernels/functions), within a few units in the last place of this.
 */
export type Primitive =
  | 'exp'
  | 'log'
  | 'C'
  | 'S'
  | 'S1'
  | 'T'
  | 'T1'
  | 'A'
  | 'A1'
  | 'N'
  | 'N1'
  | 'L'
  | 'L1'
  | 'E'
  | 'E1';

interface Meaning {
  value: (x: number) => number;
  /** Exact value at 0, for folding. */
  atZero?: number;
}

/** Σ coefficient(k)·x^k and its derivative. */
function series(coefficient: (k: number) => number, x: number, terms = 40): [number, number] {
  let value = 0;
  let slope = 0;
  for (let k = terms; k >= 0; k--) {
    value = coefficient(k) + x * value;
    if (k > 0) slope = k * coefficient(k) + x * slope;
  }
  return [value, slope];
}

const memo = (of: (k: number) => number): ((k: number) => number) => {
  const known: number[] = [];
  return k => {
    known[k] ??= of(k);
    return known[k];
  };
};
const factorial = memo(n => (n < 2 ? 1 : n * factorial(n - 1)));
const sine = memo(k => (-1) ** k / factorial(2 * k + 1));
/** (2k)!/(4^k k!² (2k+1)) */
const arcsine = memo(k => {
  let ratio = 1;
  for (let i = 1; i <= k; i++) ratio *= (2 * i - 1) / (2 * i);
  return ratio / (2 * k + 1);
});
const arctangent = memo(k => (-1) ** k / (2 * k + 1));
const logarithm = memo(k => (-1) ** k / (k + 1));
const exponential = memo(k => 1 / factorial(k + 1));
/** tan x / x: t_k from (2k+1)·t_k = Σ t_i t_{k−1−i}, since tan' = 1 + tan². */
const tangent: (k: number) => number = memo(k => {
  if (k === 0) return 1;
  let total = 0;
  for (let i = 0; i < k; i++) total += tangent(i) * tangent(k - 1 - i);
  return total / (2 * k + 1);
});

/** √|u| and whether u is negative: the hyperbolic side. */
const rooted = (u: number): [x: number, hyperbolic: boolean] => [Math.sqrt(Math.abs(u)), u < 0];

export function sineOverRoot(u: number): [number, number] {
  if (Math.abs(u) < 1) return series(sine, u, 14);
  const [x, hyperbolic] = rooted(u);
  const value = (hyperbolic ? Math.sinh(x) : Math.sin(x)) / x;
  return [value, ((hyperbolic ? Math.cosh(x) : Math.cos(x)) - value) / (2 * u)];
}

export function tangentOverRoot(u: number): [number, number] {
  if (Math.abs(u) < 0.3) return series(tangent, u, 24);
  const [x, hyperbolic] = rooted(u);
  const value = (hyperbolic ? Math.tanh(x) : Math.tan(x)) / x;
  return [value, (1 + u * value * value - value) / (2 * u)];
}

export function arcsineOverRoot(u: number): [number, number] {
  if (Math.abs(u) < 0.25) return series(arcsine, u, 30);
  const [x, hyperbolic] = rooted(u);
  const value = (hyperbolic ? Math.asinh(x) : Math.asin(x)) / x;
  return [value, (1 / Math.sqrt(1 - u) - value) / (2 * u)];
}

export function arctangentOverRoot(u: number): [number, number] {
  if (Math.abs(u) < 0.25) return series(arctangent, u, 30);
  const [x, hyperbolic] = rooted(u);
  const value = (hyperbolic ? Math.atanh(x) : Math.atan(x)) / x;
  return [value, (1 / (1 + u) - value) / (2 * u)];
}

export function logOverX(x: number): [number, number] {
  if (Math.abs(x) < 0.2) return series(logarithm, x, 30);
  const value = Math.log1p(x) / x;
  return [value, (1 / (1 + x) - value) / x];
}

export function expOverX(x: number): [number, number] {
  if (Math.abs(x) < 0.5) return series(exponential, x, 20);
  const value = Math.expm1(x) / x;
  return [value, (Math.exp(x) - value) / x];
}

/** Those that are derivatives of others. */
export const SLOPES: ReadonlySet<Primitive> = new Set(['S1', 'T1', 'A1', 'N1', 'L1', 'E1']);

export const PRIMITIVES: Record<Primitive, Meaning> = {
  exp: { value: Math.exp, atZero: 1 },
  log: { value: Math.log },
  C: { value: u => (u < 0 ? Math.cosh(Math.sqrt(-u)) : Math.cos(Math.sqrt(u))), atZero: 1 },
  S: { value: u => sineOverRoot(u)[0], atZero: 1 },
  S1: { value: u => sineOverRoot(u)[1] },
  T: { value: u => tangentOverRoot(u)[0], atZero: 1 },
  T1: { value: u => tangentOverRoot(u)[1] },
  A: { value: u => arcsineOverRoot(u)[0], atZero: 1 },
  A1: { value: u => arcsineOverRoot(u)[1] },
  N: { value: u => arctangentOverRoot(u)[0], atZero: 1 },
  N1: { value: u => arctangentOverRoot(u)[1] },
  L: { value: x => logOverX(x)[0], atZero: 1 },
  L1: { value: x => logOverX(x)[1], atZero: -0.5 },
  E: { value: x => expOverX(x)[0], atZero: 1 },
  E1: { value: x => expOverX(x)[1], atZero: 0.5 },
};
