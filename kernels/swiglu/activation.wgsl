// The activation is gate·σ(v): SiLU with v = gate, or GELU in its tanh form (arXiv 1606.08415, section 2), in which
// ½(1 + tanh u) = σ(2u), with v = 2√(2/π)·(gate + 0.044715·gate³).
const GELU: bool = false; // @param
const GELU_LINEAR = 1.5957691216057308;
const GELU_CUBIC = 0.07135481627260025;

fn inner(gate: vec4<f32>) -> vec4<f32> {
  if (!GELU) { return gate; }
  return gate * (GELU_LINEAR + GELU_CUBIC * gate * gate);
}

/// dv/dgate.
fn inner_slope(gate: vec4<f32>) -> vec4<f32> {
  if (!GELU) { return vec4<f32>(1.0); }
  return GELU_LINEAR + 3.0 * GELU_CUBIC * gate * gate;
}
