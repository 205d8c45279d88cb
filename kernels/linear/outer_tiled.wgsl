// linear.outer for hardware: 32 × 32 elements per workgroup, 8 × 8 per invocation, and sixteen invocations share the rows
// of each 8 × 8: number i takes rows i, i + 16, …. Their sums are added in that order, through 4 KiB of workgroup memory.
const SLICES: u32 = 16u;

var<workgroup> handed: array<Sums, 16>;

@compute @workgroup_size(4, 4, SLICES)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_id) local: vec3<u32>) {
  let column = (group.x * 4u + local.x) * 8u;
  let j = (group.y * 4u + local.y) * 8u;
  let tile = local.y * 4u + local.x;
  var m = 0u;
  var inside = column < SEG_COLUMN[SEGMENTS];
  if (inside) {
    while (SEG_COLUMN[m + 1u] <= column) { m++; }
    inside = j < SEG_RANK[m];
  }

  let drop = dropper();
  var acc: Sums;
  for (var t = local.z; t < select(0u, frame.tokens, inside); t += SLICES) {
    add_product(&acc, drop, t, column / 4u, (CHECKED_S[m] + j) / 4u);
  }
  for (var slice = 1u; slice < SLICES; slice++) {
    if (local.z == slice) { handed[tile] = acc; }
    workgroupBarrier();
    if (local.z == 0u) {
      acc[0] += handed[tile][0]; acc[1] += handed[tile][1]; acc[2] += handed[tile][2]; acc[3] += handed[tile][3];
      acc[4] += handed[tile][4]; acc[5] += handed[tile][5]; acc[6] += handed[tile][6]; acc[7] += handed[tile][7];
      acc[8] += handed[tile][8]; acc[9] += handed[tile][9]; acc[10] += handed[tile][10]; acc[11] += handed[tile][11];
      acc[12] += handed[tile][12]; acc[13] += handed[tile][13]; acc[14] += handed[tile][14]; acc[15] += handed[tile][15];
    }
    workgroupBarrier();
  }
  if (local.z != 0u || !inside) { return; }
  let i = column - SEG_COLUMN[m];
  add_row(m, i, j, acc[0], acc[1]);
  add_row(m, i + 1u, j, acc[2], acc[3]);
  add_row(m, i + 2u, j, acc[4], acc[5]);
  add_row(m, i + 3u, j, acc[6], acc[7]);
  add_row(m, i + 4u, j, acc[8], acc[9]);
  add_row(m, i + 5u, j, acc[10], acc[11]);
  add_row(m, i + 6u, j, acc[12], acc[13]);
  add_row(m, i + 7u, j, acc[14], acc[15]);
}
