// y = x·inv_rms·weight with inv_rms = 1/√(mean x² + EPS) (Zhang and Sennrich, arXiv 1910.07467, eq. 4), and the squared
// length of y, which the radial term of curved experts needs. One workgroup per row. Padding columns of x and weight are
// zeros, so the sums may run over them.
const WIDTH: u32 = 64u; // @param
const LD: u32 = 64u; // @param
const EPS: f32 = 0.00001f; // @param
const ROWS_ARE_TARGETS: bool = false; // @param
// Four quads a lane, as far as that goes.
const LANES = clamp((LD / 64u + 15u) / 16u * 16u, 16u, 128u);

@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> weight: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> out: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> inv_rms: array<f32>;
@group(0) @binding(5) var<storage, read_write> radius: array<f32>;

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let row = group.x;
  if (row >= select(frame.tokens, frame.targets, ROWS_ARE_TARGETS)) { return; }
  let start = row * (LD / 4u);
  // Σ x² and Σ (x∘weight)² in one pass: Σ y² is the second times inv².
  var squares = vec2<f32>();
  for (var c = lane; c < LD / 4u; c += LANES) {
    let v = x[start + c];
    let weighted = v * weight[c];
    squares += vec2<f32>(dot(v, v), dot(weighted, weighted));
  }
  let sums = sum_of_lanes(lane, squares);
  let inv = inverseSqrt(sums.x / f32(WIDTH) + EPS);
  for (var c = lane; c < LD / 4u; c += LANES) { out[start + c] = x[start + c] * inv * weight[c]; }
  if (lane == 0u) {
    inv_rms[row] = inv;
    radius[row] = sums.y * inv * inv;
  }
}
