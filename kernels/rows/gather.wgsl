// out[i] = x[index[i]], or zeros where nothing is to be taken. With the index of targets it gathers the rows the head
// needs; with the index of tokens it is that gather's gradient, because no token is two targets.
const LD: u32 = 64u; // @param
const ROWS_ARE_TARGETS: bool = true; // @param
const NOTHING = 0xffffffffu;

@group(0) @binding(1) var<storage, read> index: array<u32>;
@group(0) @binding(2) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> out: array<vec4<f32>>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  let stride = LD / 4u;
  let rows = select(frame.tokens, frame.targets, ROWS_ARE_TARGETS);
  if (id.x >= stride || id.y >= rows) { return; }
  let source_row = index[id.y];
  var value = vec4<f32>();
  if (source_row != NOTHING) { value = x[source_row * stride + id.x]; }
  out[id.y * stride + id.x] = value;
}
