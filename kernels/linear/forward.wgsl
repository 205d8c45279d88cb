// linear.forward for processors: every invocation computes 16 rows × 8 columns straight from storage. Neighbouring
// invocations take neighbouring columns. On SwiftShader loads cost most, so the larger the tile the better (in GFLOP/s:
// 4 × 4 1.8, 4 × 8 2.6, 8 × 8 3.5, 16 × 8 4.0); workgroup memory, scalar accumulators and whole-matrix loads gain nothing.

@compute @workgroup_size(8, 4)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  let first = id.y * 16u;
  let column = id.x * 8u;
  let rows = chunk_rows();
  if (first >= rows || column >= WIDTH_Y) { return; }
  let row = site.row_start + first;
  var acc: Tile;

  if (HAS_BASE) {
    let w0 = w_row(column); let w1 = w_row(column + 1u); let w2 = w_row(column + 2u); let w3 = w_row(column + 3u);
    let w4 = w_row(column + 4u); let w5 = w_row(column + 5u); let w6 = w_row(column + 6u); let w7 = w_row(column + 7u);
    for (var k = 0u; k < K4; k++) {
      let wa = mat4x4<f32>(load_w4(w0, k), load_w4(w1, k), load_w4(w2, k), load_w4(w3, k));
      let wb = mat4x4<f32>(load_w4(w4, k), load_w4(w5, k), load_w4(w6, k), load_w4(w7, k));
      add_dots(&acc, Rows(
        x[(row + 0u) * K4 + k], x[(row + 1u) * K4 + k], x[(row + 2u) * K4 + k], x[(row + 3u) * K4 + k],
        x[(row + 4u) * K4 + k], x[(row + 5u) * K4 + k], x[(row + 6u) * K4 + k], x[(row + 7u) * K4 + k],
        x[(row + 8u) * K4 + k], x[(row + 9u) * K4 + k], x[(row + 10u) * K4 + k], x[(row + 11u) * K4 + k],
        x[(row + 12u) * K4 + k], x[(row + 13u) * K4 + k], x[(row + 14u) * K4 + k], x[(row + 15u) * K4 + k],
      ), wa, wb);
    }
  }

  if (HAS_LOWRANK && column < N) {
    // Segments start at multiples of 8, so all eight columns belong to one.
    var m = 0u;
    while (SEG_COLUMN[m + 1u] <= column) { m++; }
    let rank4 = SEG_RANK[m] / 4u;
    let s0 = row * (LD_S / 4u) + CHECKED_S[m] / 4u;
    let b0 = SEG_B[m] / 4u + (column - SEG_COLUMN[m]) * rank4;
    for (var r = 0u; r < rank4; r++) {
      let bn = b0 + r;
      let ba = mat4x4<f32>(b[bn], b[bn + rank4], b[bn + 2u * rank4], b[bn + 3u * rank4]);
      let bb = mat4x4<f32>(b[bn + 4u * rank4], b[bn + 5u * rank4], b[bn + 6u * rank4], b[bn + 7u * rank4]);
      let sr = s0 + r;
      add_dots(&acc, Rows(
        s[sr + 0u * (LD_S / 4u)], s[sr + 1u * (LD_S / 4u)], s[sr + 2u * (LD_S / 4u)], s[sr + 3u * (LD_S / 4u)],
        s[sr + 4u * (LD_S / 4u)], s[sr + 5u * (LD_S / 4u)], s[sr + 6u * (LD_S / 4u)], s[sr + 7u * (LD_S / 4u)],
        s[sr + 8u * (LD_S / 4u)], s[sr + 9u * (LD_S / 4u)], s[sr + 10u * (LD_S / 4u)], s[sr + 11u * (LD_S / 4u)],
        s[sr + 12u * (LD_S / 4u)], s[sr + 13u * (LD_S / 4u)], s[sr + 14u * (LD_S / 4u)], s[sr + 15u * (LD_S / 4u)],
      ), ba, bb);
    }
  }

  for (var i = 0u; i < 2u * min(rows - first, 16u); i++) {
    let c = column + 4u * (i % 2u);
    if (c < WIDTH_Y) { finish(first + i / 2u, c, acc[i]); }
  }
}
