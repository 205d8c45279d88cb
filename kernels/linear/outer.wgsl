// linear.outer for processors: every invocation sums 8 × 8 elements over all rows.

@compute @workgroup_size(4, 4)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  let column = id.x * 8u;
  let j = id.y * 8u;
  if (column >= SEG_COLUMN[SEGMENTS]) { return; }
  var m = 0u;
  while (SEG_COLUMN[m + 1u] <= column) { m++; }
  if (j >= SEG_RANK[m]) { return; }

  let drop = dropper();
  var acc: Sums;
  for (var t = 0u; t < frame.tokens; t++) { add_product(&acc, drop, t, column / 4u, (CHECKED_S[m] + j) / 4u); }
  for (var i = 0u; i < 8u; i++) { add_row(m, column - SEG_COLUMN[m] + i, j, acc[2u * i], acc[2u * i + 1u]); }
}
