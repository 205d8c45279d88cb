// out[OUT_INDEX] += frame.loss_scale · Σ x over the targets: one workgroup, in an order that never changes.
const OUT_INDEX: u32 = 0u; // @param
const LANES = 256u;

@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> out: array<f32>;

@compute @workgroup_size(LANES)
fn main(@builtin(local_invocation_index) lane: u32) {
  var sum = 0.0;
  for (var i = lane; i < frame.targets; i += LANES) { sum += x[i]; }
  let total = sum_of_lanes(lane, vec2<f32>(sum, 0.0)).x;
  if (lane == 0u) { out[OUT_INDEX] += frame.loss_scale * total; }
}
