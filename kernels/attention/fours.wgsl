// A head in vectors of four, and four scores at a time.
const QUADS = HEAD_SIZE / 4u;

fn largest(v: vec4<f32>) -> f32 { return max(max(v.x, v.y), max(v.z, v.w)); }
fn sum4(v: vec4<f32>) -> f32 { return (v.x + v.y) + (v.z + v.w); }

// Weights exp(score − lse). None exceeds 1; rounding of large scores must not make it so.
fn weights(score: vec4<f32>, log_sum: vec4<f32>, seen: vec4<bool>) -> vec4<f32> {
  return select(vec4<f32>(), exp(min(score - log_sum, vec4<f32>())), seen);
}
