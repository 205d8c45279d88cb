/**
 * Radial maps of the built-in spaces in float64 (MoSLoRA, arXiv 2602.14490), as a formula table: what the kernels
 * are tested against.
 *
 *     lift_κ(v) = v·L(q), q = ‖v‖²        drop_κ(u) = u·D(m), m = ‖u‖²
 *
 * | map    | L(q), r = √q                                | D(m), ρ = √m                       | s = √|κ| |
 * | ------ | ------------------------------------------- | ---------------------------------- | -------- |
 * | euclid | 1                                           | 1                                  |          |
 * | stereo | 1 / max(1 + κq/4, 0.1)                      | 2 / (1 + √max(1 − κm, 0.01))       |          |
 * | exp    | sinh(min(s·r, 10)) / (s·r)                  | asinh(s·ρ) / (s·ρ)                 | κ < 0    |
 * | exp    | sin(min(s·r, π/2)) / (s·r)                  | asin(min(s·ρ, 0.999)) / (s·ρ)      | κ > 0    |
 *
 * All are one function f(u) of u = κq or κm, smooth through 0. What stands inside min or max is clamped, with zero
 * derivative on the clamped side; the divisors, and their derivatives, stay.
 */
export type Space = 'euclid' | 'stereo' | 'exp';

export interface Radial {
  gain: number;
  /** ∂gain/∂(squared radius) = κ·f'(κq). */
  bySquare: number;
  /** ∂gain/∂κ = q·f'(κq). */
  byCurvature: number;
  /** A clamp acts. */
  guarded: boolean;
}

/** f(u) and f'(u). */
type Profile = readonly [value: number, slope: number, guarded: boolean];

export function lift(space: Space, curvature: number, q: number): Radial {
  return radial({ euclid: flat, stereo: liftStereo, exp: liftExp }[space], curvature, q);
}

export function drop(space: Space, curvature: number, m: number): Radial {
  return radial({ euclid: flat, stereo: dropStereo, exp: dropExp }[space], curvature, m);
}

function radial(profile: (u: number) => Profile, curvature: number, square: number): Radial {
  const [gain, slope, guarded] = profile(curvature * square);
  return { gain, bySquare: curvature * slope, byCurvature: square * slope, guarded };
}

function flat(): Profile {
  return [1, 0, false];
}

function liftStereo(u: number): Profile {
  if (1 + u / 4 < 0.1) return [10, 0, true];
  const gain = 1 / (1 + u / 4);
  return [gain, -(gain ** 2) / 4, false];
}

function dropStereo(u: number): Profile {
  if (1 - u < 0.01) return [2 / 1.1, 0, true];
  const root = Math.sqrt(1 - u);
  const gain = 2 / (1 + root);
  return [gain, gain ** 2 / (4 * root), false];
}

function liftExp(u: number): Profile {
  if (u < -100) return pastGuard(Math.sinh(10), u);
  if (u > (Math.PI / 2) ** 2) return pastGuard(1, u);
  // Σ (−u)^k/(2k+1)! near 0, where (cos √u − sin √u/√u)/(2u) cancels.
  if (Math.abs(u) < 1) return series(k => (-1) ** k / factorial(2 * k + 1), u);
  const r = Math.sqrt(Math.abs(u));
  const gain = u < 0 ? Math.sinh(r) / r : Math.sin(r) / r;
  return [gain, ((u < 0 ? Math.cosh(r) : Math.cos(r)) - gain) / (2 * u), false];
}

function dropExp(u: number): Profile {
  if (u > 0.999 ** 2) return pastGuard(Math.asin(0.999), u);
  // Σ (2k)!/(4^k k!² (2k+1)) u^k near 0, where (1/√(1−u) − asin √u/√u)/(2u) cancels.
  if (Math.abs(u) < 0.2) return series(k => factorial(2 * k) / (4 ** k * factorial(k) ** 2 * (2 * k + 1)), u);
  const rho = Math.sqrt(Math.abs(u));
  const gain = (u < 0 ? Math.asinh(rho) : Math.asin(rho)) / rho;
  return [gain, (1 / Math.sqrt(1 - u) - gain) / (2 * u), false];
}

/** The numerator is clamped to a constant: f = limit/√|u|, f' = −f/(2u). */
function pastGuard(limit: number, u: number): Profile {
  const gain = limit / Math.sqrt(Math.abs(u));
  return [gain, -gain / (2 * u), true];
}

function series(coefficient: (k: number) => number, u: number): Profile {
  let value = 0;
  let slope = 0;
  for (let k = 24; k >= 0; k--) {
    value = coefficient(k) + u * value;
    if (k > 0) slope = k * coefficient(k) + u * slope;
  }
  return [value, slope, false];
}

function factorial(n: number): number {
  let product = 1;
  for (let i = 2; i <= n; i++) product *= i;
  return product;
}
