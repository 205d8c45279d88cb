// out = act(gate)·up (Shazeer, arXiv 2002.05202, eq. 6), act as activation.wgsl says; gate at column 0, up at UP_COLUMN (a multiple of 4).
// Where gate's and up's padding columns are zeros, so is the product.
const WIDTH: u32 = 64u; // @param
const LD_IN: u32 = 128u; // @param
const UP_COLUMN: u32 = 64u; // @param
const LD_OUT: u32 = 64u; // @param

@group(0) @binding(1) var<storage, read> gate_up: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> out: array<vec4<f32>>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  if (id.x >= LD_OUT / 4u || id.y >= frame.tokens) { return; }
  var value = vec4<f32>();
  if (id.x < (WIDTH + 3u) / 4u) {
    let gate = gate_up[id.y * (LD_IN / 4u) + id.x];
    value = gate * sigmoid(inner(gate)) * gate_up[id.y * (LD_IN / 4u) + UP_COLUMN / 4u + id.x];
  }
  out[id.y * (LD_OUT / 4u) + id.x] = value;
}
