// linear.forward for processors that run four invocations as one (quad_tile.wgsl).

@compute @workgroup_size(8)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(global_invocation_id) id: vec3<u32>) {
  let lane = id.x % 4u;
  let first = group.y * 32u;
  let column = id.x * 8u;
  let rows = chunk_rows();
  if (first >= rows) { return; }
  let row = site.row_start + first + lane;
  var acc: QuadTile;

  if (HAS_BASE) {
    let w0 = w_row(column); let w1 = w_row(column + 1u); let w2 = w_row(column + 2u); let w3 = w_row(column + 3u);
    let w4 = w_row(column + 4u); let w5 = w_row(column + 5u); let w6 = w_row(column + 6u); let w7 = w_row(column + 7u);
    for (var k = 0u; k < K4; k++) {
      let wa = mat4x4<f32>(load_w4(w0, k), load_w4(w1, k), load_w4(w2, k), load_w4(w3, k));
      let wb = mat4x4<f32>(load_w4(w4, k), load_w4(w5, k), load_w4(w6, k), load_w4(w7, k));
      let at = row * K4 + k;
      add_dots(&acc, OwnRows(
        x[at], x[at + 4u * K4], x[at + 8u * K4], x[at + 12u * K4],
        x[at + 16u * K4], x[at + 20u * K4], x[at + 24u * K4], x[at + 28u * K4],
      ), wa, wb);
    }
  }

  if (HAS_LOWRANK) {
    // Every segment that the workgroup's columns touch; the others' columns add zeros.
    var m = 0u;
    let edge = group.x * 64u;
    while (m < SEGMENTS && SEG_COLUMN[m + 1u] <= edge) { m++; }
    for (; m < SEGMENTS && SEG_COLUMN[m] < edge + 64u; m++) {
      let rank4 = SEG_RANK[m] / 4u;
      let mine = column >= SEG_COLUMN[m] && column < SEG_COLUMN[m + 1u];
      let b0 = SEG_B[m] / 4u + select(0u, (column - SEG_COLUMN[m]) * rank4, mine);
      let s0 = row * (LD_S / 4u) + CHECKED_S[m] / 4u;
      for (var r = 0u; r < rank4; r++) {
        let bn = b0 + r;
        let ba = mat4x4<f32>(own_b(mine, bn), own_b(mine, bn + rank4), own_b(mine, bn + 2u * rank4), own_b(mine, bn + 3u * rank4));
        let bm = bn + 4u * rank4;
        let bb = mat4x4<f32>(own_b(mine, bm), own_b(mine, bm + rank4), own_b(mine, bm + 2u * rank4), own_b(mine, bm + 3u * rank4));
        let at = s0 + r;
        add_dots(&acc, OwnRows(
          s[at], s[at + LD_S], s[at + 2u * LD_S], s[at + 3u * LD_S],
          s[at + 4u * LD_S], s[at + 5u * LD_S], s[at + 6u * LD_S], s[at + 7u * LD_S],
        ), ba, bb);
      }
    }
  }

  for (var i = 0u; i < 64u; i++) {
    let place = first + ((i / 2u) ^ lane);
    let c = column + 4u * (i % 2u);
    if (place < rows && c < WIDTH_Y) { finish(place, c, acc[i]); }
  }
}

fn own_b(mine: bool, at: u32) -> vec4<f32> { return select(vec4<f32>(), b[at], mine); }
