// Radial maps of the built-in spaces (MoSLoRA, arXiv 2602.14490). With u = κq, q = ‖v‖² and u = κm, m = ‖u‖²:
//
//              lift(v) = v·L(q)                          drop(u) = u·D(m)
//   stereo     1 / max(1 + κq/4, 0.1)                    2 / (1 + √max(1 − κm, 0.01))
//   exp, κ<0   sinh(min(√−u, 10)) / √−u                  asinh(√−u) / √−u
//   exp, κ>0   sin(min(√u, π/2)) / √u                    asin(min(√u, 0.999)) / √u
//
// Each gain is one function f(u), smooth through κ = 0: a series where closed forms cancel, for f and f' alike. Only what
// stands inside min/max is clamped, with derivative zero there; clamps come before operations, because WGSL lets
// infinities and NaN become anything. WGSL's own sin, sinh, asin and asinh lose all accuracy near 0 and are not used.
//
// A space is two functions (κ, squared radius) → Radial. Squared radii reach 1e36, where a plain derivative underflows
// although its product with what it multiplies does not; so it is returned times (1 + squared radius).
struct Radial {
  gain: f32,
  by_square: f32,     // (1 + q)·∂gain/∂q
  by_curvature: f32,  // ∂gain/∂κ
  guarded: bool,      // a clamp acts
}

const LARGEST_SQUARE = 1e36f;
const HALF_PI_SQUARED = 2.4674011f;  // (π/2)²
const SINH_LIMIT = 11013.2329f;      // sinh(10)
const ASIN_LIMIT = 1.5260712f;       // asin(0.999)
const ASIN_LIMIT_SQUARED = 0.998001f;

fn lift(space: u32, curvature: f32, square: f32) -> Radial {
  let q = in_reach(curvature, square);
  switch (space) {
    case 1u: { return lift_stereo(curvature, q); }
    case 2u: { return lift_exp(curvature, q); }
    default: { return Radial(1.0, 0.0, 0.0, false); }
  }
}

fn drop(space: u32, curvature: f32, square: f32) -> Radial {
  let m = in_reach(curvature, square);
  switch (space) {
    case 1u: { return drop_stereo(curvature, m); }
    case 2u: { return drop_exp(curvature, m); }
    default: { return Radial(1.0, 0.0, 0.0, false); }
  }
}

// Keeps κq finite: |κq| ≤ 1e36. Every gain has long reached its asymptote there.
fn in_reach(curvature: f32, square: f32) -> f32 {
  return min(square, LARGEST_SQUARE / max(abs(curvature), 1.0));
}

// From f(u) and (1 + q)·f'(u): ∂f/∂q = κf', ∂f/∂κ = qf'.
fn radial(gain: f32, slope: f32, curvature: f32, q: f32, guarded: bool) -> Radial {
  return Radial(gain, curvature * slope, slope * (q / (1.0 + q)), guarded);
}

fn lift_stereo(curvature: f32, q: f32) -> Radial {
  let reciprocal = 1.0 + 0.25 * (curvature * q);
  if (reciprocal < 0.1) { return radial(10.0, 0.0, curvature, q, true); }
  let gain = 1.0 / reciprocal;
  return radial(gain, -0.25 * ((1.0 + q) * gain) * gain, curvature, q, false);  // f' = −f²/4
}

fn drop_stereo(curvature: f32, m: f32) -> Radial {
  let inside = 1.0 - curvature * m;
  if (inside < 0.01) { return radial(2.0 / 1.1, 0.0, curvature, m, true); }
  let root = sqrt(inside);
  let gain = 2.0 / (1.0 + root);
  return radial(gain, ((1.0 + m) * gain) * (0.25 * gain / root), curvature, m, false);  // f' = f²/(4√(1−u))
}

fn lift_exp(curvature: f32, q: f32) -> Radial {
  let u = curvature * q;
  if (u < -100.0) { return past_guard(SINH_LIMIT, curvature, q); }
  if (u > HALF_PI_SQUARED) { return past_guard(1.0, curvature, q); }
  let f = sine_over_root(u);
  return radial(f.x, (1.0 + q) * f.y, curvature, q, false);
}

fn drop_exp(curvature: f32, m: f32) -> Radial {
  let u = curvature * m;
  if (u > ASIN_LIMIT_SQUARED) { return past_guard(ASIN_LIMIT, curvature, m); }
  if (u < -4.0) {
    let s = sqrt(-u);
    let root = sqrt(1.0 - u);
    let gain = log(s + root) / s;  // asinh(s)/s; nothing cancels here
    return radial(gain, (1.0 / root - gain) * ((1.0 + m) / (2.0 * u)), curvature, m, false);
  }
  let f = arcsine_over_root(u);
  return radial(f.x, (1.0 + m) * f.y, curvature, m, false);
}

// The numerator is clamped to a constant, the divisor √|u| is not: f = limit/√|u|, f' = −f/(2u).
fn past_guard(limit: f32, curvature: f32, q: f32) -> Radial {
  let u = curvature * q;
  let gain = limit / sqrt(abs(u));
  return radial(gain, -0.5 * gain * ((1.0 + q) / u), curvature, q, true);
}

// sin(√u)/√u for u ≥ 0 and sinh(√−u)/√−u for u < 0, and its derivative; −100 ≤ u ≤ (π/2)².
// With x = −u: Σ x^k/(2k+1)! = 1 + x/(2·3)·(1 + x/(4·5)·(1 + …)), 16 terms at x = 100 and 8 below 2.5.
fn sine_over_root(u: f32) -> vec2<f32> {
  let x = -u;
  var s = vec2<f32>(1.0, 0.0);
  if (x > 2.5) {
    s = sine_term(s, x, 1.0 / 1056.0);
    s = sine_term(s, x, 1.0 / 930.0);
    s = sine_term(s, x, 1.0 / 812.0);
    s = sine_term(s, x, 1.0 / 702.0);
    s = sine_term(s, x, 1.0 / 600.0);
    s = sine_term(s, x, 1.0 / 506.0);
    s = sine_term(s, x, 1.0 / 420.0);
    s = sine_term(s, x, 1.0 / 342.0);
    s = sine_term(s, x, 1.0 / 272.0);
  }
  s = sine_term(s, x, 1.0 / 210.0);
  s = sine_term(s, x, 1.0 / 156.0);
  s = sine_term(s, x, 1.0 / 110.0);
  s = sine_term(s, x, 1.0 / 72.0);
  s = sine_term(s, x, 1.0 / 42.0);
  s = sine_term(s, x, 1.0 / 20.0);
  s = sine_term(s, x, 1.0 / 6.0);
  return vec2<f32>(s.x, -s.y);
}

// (1 + c·x·p, its derivative in x) from (p, p').
fn sine_term(p: vec2<f32>, x: f32, c: f32) -> vec2<f32> {
  return vec2<f32>(1.0 + (c * x) * p.x, c * (p.x + x * p.y));
}

// A(u) = asin(√u)/√u for u ≥ 0 and asinh(√−u)/√−u for u < 0, and its derivative; −4 ≤ u < 1.
// Half angles: A(u) = (2/√h)·A(u/h), h = 2(1 + √(1−u)), until |u| ≤ 0.1; then Σ (2k)!/(4^k k!² (2k+1))·u^k.
// Carried along are the factor, its derivative and that of the argument; all terms have one sign, nothing cancels:
// d(u/h)/du = 1/(4√(1−u)), d(2/√h)/du = (2/√h)/(2h√(1−u)).
fn arcsine_over_root(u0: f32) -> vec2<f32> {
  var u = u0;
  var u_by = 1.0;
  var factor = 1.0;
  var factor_by = 0.0;
  for (var i = 0; i < 4 && abs(u) > 0.1; i++) {
    let root = sqrt(1.0 - u);
    let h = 2.0 + 2.0 * root;
    let half = 2.0 / sqrt(h);
    factor_by = half * (factor_by + factor * u_by / (2.0 * h * root));
    factor *= half;
    u_by /= 4.0 * root;
    u /= h;
  }
  let series = 1.0 + u * (0.16666667 + u * (0.075 + u * (0.044642857 + u * (0.030381944
    + u * (0.022372159 + u * (0.017352764 + u * 0.01396484))))));
  let series_by = 0.16666667 + u * (0.15 + u * (0.13392857 + u * (0.12152778
    + u * (0.1118608 + u * (0.10411658 + u * 0.0977539)))));
  return vec2<f32>(factor * series, factor_by * series + factor * series_by * u_by);
}
