// A(u): asin(√u)/√u for u ≥ 0 and asinh(√−u)/√−u for u < 0, and (1 + |u|) times its derivative; u < 1.
// Below −4 the closed form; else half angles: A(u) = (2/√h)·A(u/h), h = 2(1 + √(1−u)), until |u| ≤ 0.1; then
// Σ (2k)!/(4^k k!² (2k+1))·u^k. Carried along are the factor, its derivative and that of the argument; all terms have one
// sign, nothing cancels: d(u/h)/du = 1/(4√(1−u)), d(2/√h)/du = (2/√h)/(2h√(1−u)).
fn arcsine_over_root(u0: f32) -> vec2<f32> {
  var u = min(u0, 0.99999994);
  if (u < -4.0) {
    let x = sqrt(-u);
    let root = sqrt(1.0 - u);
    let value = log(x + root) / x;
    return vec2<f32>(value, (1.0 / root - value) * (0.5 / u - 0.5));
  }
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
  let by = factor_by * series + factor * series_by * u_by;
  return vec2<f32>(factor * series, (1.0 + abs(u0)) * by);
}
