// log(1 + x)/x and (1 + |x|) times its derivative (1/(1 + x) − log(1 + x)/x)/x for x > −1, smooth through 0. With s = x/(2 + x),
// log(1 + x) = 2·atanh s = 2s·Σ s^2k/(2k+1) on [−½, 1]; closed forms beyond.
fn log_over_x(x0: f32) -> vec2<f32> {
  let x = clamp(x0, -0.99999994, 1e18);
  if (x < -0.5 || x > 1.0) {
    let value = log(1.0 + x) / x;
    return vec2<f32>(value, (1.0 / (1.0 + x) - value) * ((1.0 + abs(x)) / x));
  }
  let half = 2.0 + x;
  let s = x / half;
  let w = s * s;
  // (atanh s/s − 1)/s²
  let rest = 0.33333334 + w * (0.2 + w * (0.14285715 + w * (0.11111111 + w * (0.09090909 + w * (0.07692308
    + w * (0.06666667 + w * (0.05882353 + w * 0.05263158)))))));
  let value = 2.0 * (1.0 + w * rest) / half;
  // 1/(1+x) − 2/(2+x) = −x/((1+x)(2+x)) and value − 2/(2+x) = 2·w·rest/(2+x), each divided by x: nothing cancels.
  let slope = -1.0 / ((1.0 + x) * half) - 2.0 * (s / half) * (rest / half);
  return vec2<f32>(value, (1.0 + abs(x)) * slope);
}

// log x for x > 0, accurate relative to itself around 1, where WGSL's own is not.
fn logarithm(x: f32) -> f32 {
  let y = max(x, 1e-37);
  if (y > 0.5 && y < 2.0) { return (y - 1.0) * log_over_x(y - 1.0).x; }
  return log(y);
}
