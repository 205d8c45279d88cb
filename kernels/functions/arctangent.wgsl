// N(u): atan(√u)/√u for u ≥ 0, and (1 + u) times its derivative (1/(1+u) − N)/(2u). Half angles, as for the arcsine: with
// h = 1 + √(1+u), N(u) = (2/h)·N(u/h²), d(u/h²)/du = 1/(h²√(1+u)), d(2/h)/du = −1/(h²√(1+u)), until u ≤ 0.05; then
// Σ (−u)^k/(2k+1). What is summed has one sign; beyond 1 the closed form of the derivative cancels no more.
fn arctangent_over_root(u0: f32) -> vec2<f32> {
  let start = clamp(u0, -0.05, 1e36);
  var u = start;
  var u_by = 1.0;
  var factor = 1.0;
  var factor_by = 0.0;
  for (var i = 0; i < 4 && u > 0.05; i++) {
    let root = sqrt(1.0 + u);
    let h = 1.0 + root;
    let by = (1.0 / h) / (h * root);
    factor_by = (2.0 / h) * factor_by - factor * by * u_by;
    factor *= 2.0 / h;
    u_by *= by;
    u = (u / h) / h;
  }
  let series = 1.0 + u * (-0.33333334 + u * (0.2 + u * (-0.14285715 + u * (0.11111111 + u * (-0.09090909
    + u * 0.07692308)))));
  let series_by = -0.33333334 + u * (0.4 + u * (-0.42857143 + u * (0.44444445 + u * (-0.45454547 + u * 0.46153846))));
  let value = factor * series;
  if (start > 1.0) { return vec2<f32>(value, (1.0 / (1.0 + start) - value) * (0.5 + 0.5 / start)); }
  return vec2<f32>(value, (1.0 + start) * (factor_by * series + factor * series_by * u_by));
}
