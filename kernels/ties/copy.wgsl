// Parameters that several experts share: the first is the one that is trained, the others are copies of it.
// table: GROUPS + 1 starts, GROUPS first ones, then all copies; floats in the parameter buffer.
const GROUPS: u32 = 1u; // @param
@group(0) @binding(1) var<storage, read> table: array<u32>;
@group(0) @binding(2) var<storage, read_write> params: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  if (id.x >= GROUPS) { return; }
  let value = params[table[GROUPS + 1u + id.x]];
  for (var i = table[id.x]; i < table[id.x + 1u]; i++) { params[table[2u * GROUPS + 1u + i]] = value; }
}
