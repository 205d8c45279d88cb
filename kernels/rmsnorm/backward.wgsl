// dx = inv·(w∘dy − x·inv²·mean(x∘w∘dy)) + addend: the gradient of rmsnorm.forward with respect to x. The addend is the
// gradient that reaches x past the norm, along the residual stream.
const WIDTH: u32 = 64u; // @param
const LD: u32 = 64u; // @param
const ROWS_ARE_TARGETS: bool = false; // @param
const HAS_ADDEND: bool = false; // @param

@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> weight: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> inv_rms: array<f32>;
@group(0) @binding(4) var<storage, read> dy: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read> addend: array<vec4<f32>>;
@group(0) @binding(6) var<storage, read_write> dx: array<vec4<f32>>;

@compute @workgroup_size(LANES, ROWS)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_id) local: vec3<u32>) {
  let rows = select(frame.tokens, frame.targets, ROWS_ARE_TARGETS);
  let first = group.x * ROWS;
  if (first >= rows) { return; }
  let lane = local.x;
  let row = min(first + local.y, rows - 1u);
  let start = row * (LD / 4u);
  var along = 0.0;
  for (var c = lane; c < LD / 4u; c += LANES) { along += dot(x[start + c], weight[c] * dy[start + c]); }
  let inv = inv_rms[row];
  let pull = sum_of_row(lane, along) / f32(WIDTH) * inv * inv;
  if (first + local.y >= rows) { return; }
  for (var c = lane; c < LD / 4u; c += LANES) {
    var v = inv * (weight[c] * dy[start + c] - x[start + c] * pull);
    if (HAS_ADDEND) { v += addend[start + c]; }
    dx[start + c] = v;
  }
}
