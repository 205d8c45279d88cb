// radius[t] = Σ x² per token: the squared length that the radial term of curved experts needs, for inputs that no norm
// produced. Padding columns are zeros, so the sum may run over them. One workgroup per row.
const LD: u32 = 64u; // @param
// Four quads a lane, as far as that goes.
const LANES = clamp((LD / 64u + 15u) / 16u * 16u, 16u, 128u);

@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> radius: array<f32>;

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let row = group.x;
  if (row >= frame.tokens) { return; }
  var squares = 0.0;
  for (var c = lane; c < LD / 4u; c += LANES) {
    let v = x[row * (LD / 4u) + c];
    squares += dot(v, v);
  }
  let length2 = sum_of_lanes(lane, vec2<f32>(squares, 0.0)).x;
  if (lane == 0u) { radius[row] = length2; }
}
