// out[t] = table[ids[t]], padding columns included: the table's are zeros.
const LD: u32 = 64u; // @param

@group(0) @binding(1) var<storage, read> ids: array<u32>;
@group(0) @binding(2) var<storage, read> table: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> out: array<vec4<f32>>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  let stride = LD / 4u;
  if (id.x >= stride || id.y >= frame.tokens) { return; }
  out[id.y * stride + id.x] = table[ids[id.y] * stride + id.x];
}
