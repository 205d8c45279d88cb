// out[t] = SCALE·w[ids[t] − FIRST] where that is below ROWS; other rows are left to the dispatch that has their piece. Padding columns included: those of w (weights/*.wgsl) are zeros.
const LD: u32 = 64u; // @param
const FIRST: u32 = 0u; // @param first row of the table that w holds
const ROWS: u32 = 4294967295u; // @param rows that w holds
const SCALE: f32 = 1.0f; // @param

const K4: u32 = LD / 4u;

@group(0) @binding(1) var<storage, read> ids: array<u32>;
@group(0) @binding(2) var<storage, read_write> out: array<vec4<f32>>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  if (id.x >= K4 || id.y >= frame.tokens) { return; }
  let row = ids[id.y] - FIRST;
  if (row >= ROWS) { return; }
  out[id.y * K4 + id.x] = SCALE * load_w4(weight_row(row), id.x);
}
