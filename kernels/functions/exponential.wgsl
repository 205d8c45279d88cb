// e^x for any x: WGSL leaves overflow undefined, so the argument is clamped to [−87, 87] (3 + 2|x| ULP).
fn exponential(x: f32) -> f32 {
  return exp(clamp(x, -87.0, 87.0));
}

// (e^x − 1)/x and (1 + |x|) times its derivative, smooth through 0: Σ x^k/(k+1)! on |x| ≤ 1, closed forms beyond.
fn exp_over_x(x0: f32) -> vec2<f32> {
  let x = clamp(x0, -1e18, 87.0);
  if (abs(x) > 1.0) {
    let e = exp(max(x, -87.0));
    let value = (e - 1.0) / x;
    return vec2<f32>(value, (e - value) * ((1.0 + abs(x)) / x));
  }
  let value = 1.0 + x * (0.5 + x * (0.16666667 + x * (0.041666668 + x * (8.3333333e-3 + x * (1.3888889e-3
    + x * (1.9841270e-4 + x * (2.4801587e-5 + x * (2.7557319e-6 + x * (2.7557319e-7
    + x * 2.5052108e-8)))))))));
  let slope = 0.5 + x * (0.33333334 + x * (0.125 + x * (0.033333335 + x * (6.9444445e-3 + x * (1.1904762e-3
    + x * (1.7361111e-4 + x * (2.2045855e-5 + x * (2.4801587e-6 + x * (2.5052108e-7
    + x * 2.2964433e-8)))))))));
  return vec2<f32>(value, (1.0 + abs(x)) * slope);
}
