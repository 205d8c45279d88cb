// First half of the gradient norm: workgroup p writes Σ g² and the number of unusable gradients of its share to
// partial[2p] and partial[2p + 1]. Shares interleave in blocks of one workgroup, so that lanes read neighbours.
// WGSL promises nothing for NaN, infinity or overflow, so words are judged by their exponent bits: unusable are those
// not finite and those from 2^50 on, whose squares could overflow the sum unseen. They stay out of the sum.
// Gradients of frozen groups count for neither: what is not trained must not clip what is.
const COUNT: u32 = 64u; // @param
const PARTIALS: u32 = 1u; // @param
const LANES = 64u;
const FROZEN = 0.0;

@group(0) @binding(1) var<storage, read> grads: array<vec4<u32>>;
@group(0) @binding(2) var<storage, read> group_of_block: array<u32>;
@group(0) @binding(3) var<storage, read> groups: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> partial: array<vec2<f32>>;

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  if (group.x >= PARTIALS) { return; }
  var squares = 0.0;
  var bad = 0.0;
  for (var i = group.x * LANES + lane; i < COUNT / 4u; i += PARTIALS * LANES) {
    if (groups[group_of_block[i / 4u] * 3u + 2u].y == FROZEN) { continue; }
    let words = grads[i];
    let unusable = ((words >> vec4<u32>(23u)) & vec4<u32>(255u)) >= vec4<u32>(127u + 50u);
    let g = bitcast<vec4<f32>>(select(words, vec4<u32>(), unusable));
    squares += dot(g, g);
    bad += dot(select(vec4<f32>(), vec4<f32>(1.0), unusable), vec4<f32>(1.0));
  }
  let sums = sum_of_lanes(lane, vec2<f32>(squares, bad));
  if (lane == 0u) { partial[group.x] = sums; }
}
