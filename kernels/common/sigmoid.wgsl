// 1/(1 + e^-x) from e^-|x|, which cannot overflow and keeps relative accuracy on both sides.
fn sigmoid(x: vec4<f32>) -> vec4<f32> {
  let e = exp(-min(abs(x), vec4<f32>(87.0)));
  return select(e, vec4<f32>(1.0), x >= vec4<f32>()) / (1.0 + e);
}
