// dx = inv·(w∘dy − x·inv²·mean(x∘w∘dy)) + addend: the gradient of rmsnorm.forward with respect to x. The addend is the
// gradient that reaches x past the norm, along the residual stream.
const WIDTH: u32 = 64u; // @param
const LD: u32 = 64u; // @param
const ROWS_ARE_TARGETS: bool = false; // @param
const HAS_ADDEND: bool = false; // @param
// Four quads a lane, as far as that goes.
const LANES = clamp((LD / 64u + 15u) / 16u * 16u, 16u, 128u);

@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> weight: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> inv_rms: array<f32>;
@group(0) @binding(4) var<storage, read> dy: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read> addend: array<vec4<f32>>;
@group(0) @binding(6) var<storage, read_write> dx: array<vec4<f32>>;

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let row = group.x;
  if (row >= select(frame.tokens, frame.targets, ROWS_ARE_TARGETS)) { return; }
  let start = row * (LD / 4u);
  var along = 0.0;
  for (var c = lane; c < LD / 4u; c += LANES) { along += dot(x[start + c], weight[c] * dy[start + c]); }
  let inv = inv_rms[row];
  let pull = sum_of_lanes(lane, vec2<f32>(along, 0.0)).x / f32(WIDTH) * inv * inv;
  for (var c = lane; c < LD / 4u; c += LANES) {
    var v = inv * (weight[c] * dy[start + c] - x[start + c] * pull);
    if (HAS_ADDEND) { v += addend[start + c]; }
    dx[start + c] = v;
  }
}
