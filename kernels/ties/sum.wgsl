// The gradient of a shared parameter is the sum over those who share it, in the order of the table; it stands at the
// first, and the others' are 0, so that a norm counts it once. Table: ties.copy.
const GROUPS: u32 = 1u; // @param
@group(0) @binding(1) var<storage, read> table: array<u32>;
@group(0) @binding(2) var<storage, read_write> grads: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  if (id.x >= GROUPS) { return; }
  let first = table[GROUPS + 1u + id.x];
  var sum = grads[first];
  for (var i = table[id.x]; i < table[id.x + 1u]; i++) {
    let at = table[2u * GROUPS + 1u + i];
    sum += grads[at];
    grads[at] = 0.0;
  }
  grads[first] = sum;
}
