// dB_e += 2·B_e·C_e with C_e = Σ_t dn z zᵀ (gram_grad, from gains.reduce): the share of B's gradient that comes through
// n = zᵀBᵀB z. One invocation per four rows of B and expert; table as in gram.forward, gradients
// laid out like params.
const EXPERTS: u32 = 1u; // @param

@group(0) @binding(1) var<storage, read> params: array<f32>;
@group(0) @binding(2) var<storage, read> table: array<u32>;
@group(0) @binding(3) var<storage, read> gram_grad: array<f32>;
@group(0) @binding(4) var<storage, read_write> grads: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  if (id.y >= EXPERTS) { return; }
  let entry = 8u * id.y;
  let rank = table[entry + 3u];
  let rows = table[entry + 4u];
  let first = 4u * id.x;
  if (first >= rows) { return; }
  let ld = table[entry + 1u];
  // past the last row the last one stands in
  let row = table[entry] + table[entry + 2u] + min(first + vec4<u32>(0u, 1u, 2u, 3u), vec4<u32>(rows - 1u)) * ld;
  let c = table[entry + 5u];
  for (var j = 0u; j < rank; j += 4u) {
    var sums = array<vec4<f32>, 4>();
    for (var i = 0u; i < rank; i++) {
      let at = c + i * rank + j;
      // Past the rank stands the next row of C; those sums are dropped below.
      let of_c = vec4<f32>(gram_grad[at], gram_grad[at + 1u], gram_grad[at + 2u], gram_grad[at + 3u]);
      for (var r = 0u; r < 4u; r++) { // @unroll
        sums[r] += params[row[r] + i] * of_c;
      }
    }
    for (var r = 0u; r < min(4u, rows - first); r++) {
      for (var k = 0u; k < min(4u, rank - j); k++) { grads[row[r] + j + k] += 2.0 * sums[r][k]; }
    }
  }
}
