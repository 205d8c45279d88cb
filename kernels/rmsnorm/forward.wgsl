// y = x·inv_rms·weight (+ residual) with inv_rms = 1/√(mean x² + EPS) (Zhang and Sennrich, arXiv 1910.07467, eq. 4). Padding
// columns of x are zeros, so the sum may run over them.
const WIDTH: u32 = 64u; // @param
const LD: u32 = 64u; // @param
const EPS: f32 = 0.00001f; // @param
const ROWS_ARE_TARGETS: bool = false; // @param
const HAS_RESIDUAL: bool = false; // @param

@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> weight: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> residual: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> out: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read_write> inv_rms: array<f32>;

@compute @workgroup_size(LANES, ROWS)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_id) local: vec3<u32>) {
  let rows = select(frame.tokens, frame.targets, ROWS_ARE_TARGETS);
  let first = group.x * ROWS;
  if (first >= rows) { return; }
  let lane = local.x;
  let row = min(first + local.y, rows - 1u);
  let start = row * (LD / 4u);
  var squares = 0.0;
  for (var c = lane; c < LD / 4u; c += LANES) {
    let v = x[start + c];
    squares += dot(v, v);
  }
  let inv = inverseSqrt(sum_of_row(lane, squares) / f32(WIDTH) + EPS);
  if (first + local.y >= rows) { return; }
  for (var c = lane; c < LD / 4u; c += LANES) {
    var v = x[start + c] * inv * weight[c];
    if (HAS_RESIDUAL) { v += residual[start + c]; }
    out[start + c] = v;
  }
  if (lane == 0u) { inv_rms[row] = inv; }
}
