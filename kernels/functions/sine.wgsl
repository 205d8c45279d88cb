// S(u): sin(√u)/√u for u ≥ 0 and sinh(√−u)/√−u for u < 0, and (1 + |u|) times its derivative: alone it would
// underflow where its product with u does not. Smooth through 0: a series on
// [−100, 2.47], closed forms beyond, where nothing cancels.
fn sine_over_root(u0: f32) -> vec2<f32> {
  let u = clamp(u0, -7000.0, 1e18);
  let x = -u;
  if (x > 100.0) {
    let root = sqrt(x);
    let e = exp(min(root, 83.0));
    let value = 0.5 * e / root;
    return vec2<f32>(value, (0.5 * e - value) * (-0.5 - 0.5 / x));
  }
  if (u > 2.4674011) {
    let root = sqrt(u);
    let turned = turn(root);
    let value = turned.x / root;
    return vec2<f32>(value, (turned.y - value) * (0.5 + 0.5 / u));
  }
  // With x = −u: Σ x^k/(2k+1)! = 1 + x/(2·3)·(1 + x/(4·5)·(1 + …)), 16 terms at x = 100 and 8 below 2.5.
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
  return vec2<f32>(s.x, -(1.0 + abs(u)) * s.y);
}

// (1 + c·x·p, its derivative in x) from (p, p').
fn sine_term(p: vec2<f32>, x: f32, c: f32) -> vec2<f32> {
  return vec2<f32>(1.0 + (c * x) * p.x, c * (p.x + x * p.y));
}

// cos √u, cosh √−u.
fn cosine_of_root(u0: f32) -> f32 {
  let u = clamp(u0, -7000.0, 1e18);
  if (u < 0.0) {
    let e = exp(sqrt(-u));
    return 0.5 * (e + 1.0 / e);
  }
  return turn(sqrt(u)).y;
}

// (sin x, cos x) for x ≥ 0. The quarter turns are taken off in three parts of π/2 (Cody and Waite), exact up to about
// x = 1e5; beyond, the condition number of sin is what is left of the digits.
fn turn(x: f32) -> vec2<f32> {
  let quarters = round(x * 0.63661975);
  var y = x - quarters * 1.5703125;
  y -= quarters * 4.837512969970703e-4;
  y -= quarters * 7.549789948768648e-8;
  let w = y * y;
  let s = y + y * w * (-0.16666667 + w * (8.3333333e-3 + w * (-1.9841270e-4 + w * 2.7557319e-6)));
  let c = 1.0 + w * (-0.5 + w * (0.041666667 + w * (-1.3888889e-3 + w * (2.4801587e-5 - w * 2.7557319e-7))));
  switch (u32(quarters) & 3u) {
    case 0u: { return vec2<f32>(s, c); }
    case 1u: { return vec2<f32>(c, -s); }
    case 2u: { return vec2<f32>(-s, -c); }
    default: { return vec2<f32>(-c, s); }
  }
}
