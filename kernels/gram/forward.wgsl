// G_e = B_eᵀB_e, rank × rank, for every expert of the plan: ‖B z‖² = zᵀG z spares every vector of length d_out
// (MoSLoRA, arXiv 2602.14490, in rank space). One workgroup per expert: 4 × 4 entries of G per lane, lanes beyond that over
// slices of B's rows, summed in a fixed order. Table, 8 words per expert: float offset of its B block in
// params, leading dimension, first column, rank, rows, float offset of G in gram, 0, 0.
const EXPERTS: u32 = 1u; // @param

@group(0) @binding(1) var<storage, read> params: array<f32>;
@group(0) @binding(2) var<storage, read> table: array<u32>;
@group(0) @binding(3) var<storage, read_write> gram: array<f32>;

const LANES = 64u;
var<workgroup> partial: array<mat4x4<f32>, LANES>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  if (group.x >= EXPERTS) { return; }
  let entry = 8u * group.x;
  let rank = table[entry + 3u];
  let b = table[entry] + table[entry + 2u];
  let ld = table[entry + 1u];
  let rows = table[entry + 4u];
  let out = table[entry + 5u];

  let blocks = (rank + 3u) / 4u;
  let items = blocks * blocks;
  let together = clamp(items, 1u, LANES);
  let slices = LANES / together;
  let slice = lane / together;
  // With several slices each lane has one item at most.
  var i = 0u;
  var j = 0u;
  var sum = mat4x4<f32>();
  for (var item = lane % together; item < items && slice < slices; item += together) {
    i = 4u * (item / blocks);
    j = 4u * (item % blocks);
    sum = mat4x4<f32>();
    for (var r = slice; r < rows; r += slices) {
      // Past the rank stand other columns; those sums are dropped when written.
      let left = columns(b + r * ld + i);
      let right = columns(b + r * ld + j);
      sum += mat4x4<f32>(left.x * right, left.y * right, left.z * right, left.w * right);
    }
    if (slices == 1u) { write(out, rank, i, j, sum); }
  }
  partial[lane] = sum;
  workgroupBarrier();
  if (slices > 1u && lane < together) {
    for (var k = 1u; k < slices; k++) { sum += partial[lane + k * together]; }
    write(out, rank, i, j, sum);
  }
}

fn columns(at: u32) -> vec4<f32> { return vec4<f32>(params[at], params[at + 1u], params[at + 2u], params[at + 3u]); }

// Rows i.. and columns j.. of G, as far as it has them.
fn write(out: u32, rank: u32, i: u32, j: u32, values: mat4x4<f32>) {
  var rows = values;
  for (var r = 0u; r < min(4u, rank - i); r++) {
    for (var c = 0u; c < min(4u, rank - j); c++) { gram[out + (i + r) * rank + j + c] = rows[r][c]; }
  }
}
