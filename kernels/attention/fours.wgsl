// What all attention kernels share: sizes, a head in vectors of four, four scores at a time.
const Q_HEADS: u32 = 4u; // @param
const KV_HEADS: u32 = 2u; // @param
const HEAD_SIZE: u32 = 16u; // @param
const SCALE: f32 = 0.25f; // @param
const LD_Q: u32 = 64u; // @param
const LD_KV: u32 = 64u; // @param
const QUADS = HEAD_SIZE / 4u;

fn largest(v: vec4<f32>) -> f32 { return max(max(v.x, v.y), max(v.z, v.w)); }
fn sum4(v: vec4<f32>) -> f32 { return (v.x + v.y) + (v.z + v.w); }

// Weights exp(score − lse). None exceeds 1; rounding of large scores must not make it so.
fn weights(score: vec4<f32>, log_sum: vec4<f32>, seen: vec4<bool>) -> vec4<f32> {
  return select(vec4<f32>(), exp(min(score - log_sum, vec4<f32>())), seen);
}
