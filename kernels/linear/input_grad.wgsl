// linear.input_grad for processors: every invocation computes 16 rows × 8 columns straight from storage, like
// linear.forward. The low-rank part comes first, so that the mask can act on it alone.

@compute @workgroup_size(8, 4)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  let first = id.y * 16u;
  let column4 = id.x * 2u;
  let rows = chunk_rows();
  if (first >= rows || column4 >= K4) { return; }
  let here = min(rows - first, 16u);
  let row = site.row_start + first;
  var acc: Tile;

  if (HAS_LOWRANK) {
    for (var j = 0u; j < (SZ + 3u) / 4u; j++) {
      let a0 = 4u * j * K4 + column4;
      let a1 = min(4u * j + 1u, SZ - 1u) * K4 + column4;
      let a2 = min(4u * j + 2u, SZ - 1u) * K4 + column4;
      let a3 = min(4u * j + 3u, SZ - 1u) * K4 + column4;
      add_rows(&acc, Rows(
        dz_at(row + 0u, j), dz_at(row + 1u, j), dz_at(row + 2u, j), dz_at(row + 3u, j),
        dz_at(row + 4u, j), dz_at(row + 5u, j), dz_at(row + 6u, j), dz_at(row + 7u, j),
        dz_at(row + 8u, j), dz_at(row + 9u, j), dz_at(row + 10u, j), dz_at(row + 11u, j),
        dz_at(row + 12u, j), dz_at(row + 13u, j), dz_at(row + 14u, j), dz_at(row + 15u, j),
      ), mat4x4<f32>(a[a0], a[a1], a[a2], a[a3]), mat4x4<f32>(a[a0 + 1u], a[a1 + 1u], a[a2 + 1u], a[a3 + 1u]));
    }
    if (DROPOUT != 0u) {
      let drop = dropper();
      for (var i = 0u; i < 2u * here; i++) { acc[i] = dropped(drop, acc[i], row + i / 2u, column4 + i % 2u); }
    }
  }

  if (HAS_BASE) {
    let dy0 = select(row, first, CHUNKED_INPUT) * DY4 + DY_COLUMN / 4u;
    for (var n = 0u; n < (N + 3u) / 4u; n++) {
      let w0 = weight_row(4u * n);
      let w1 = weight_row(min(4u * n + 1u, N - 1u));
      let w2 = weight_row(min(4u * n + 2u, N - 1u));
      let w3 = weight_row(min(4u * n + 3u, N - 1u));
      let wa = mat4x4<f32>(load_w4(w0, column4), load_w4(w1, column4), load_w4(w2, column4), load_w4(w3, column4));
      let next4 = column4 + 1u;
      let wb = mat4x4<f32>(load_w4(w0, next4), load_w4(w1, next4), load_w4(w2, next4), load_w4(w3, next4));
      let at = dy0 + n;
      add_rows(&acc, Rows(
        dy[at + 0u * DY4], dy[at + 1u * DY4], dy[at + 2u * DY4], dy[at + 3u * DY4],
        dy[at + 4u * DY4], dy[at + 5u * DY4], dy[at + 6u * DY4], dy[at + 7u * DY4],
        dy[at + 8u * DY4], dy[at + 9u * DY4], dy[at + 10u * DY4], dy[at + 11u * DY4],
        dy[at + 12u * DY4], dy[at + 13u * DY4], dy[at + 14u * DY4], dy[at + 15u * DY4],
      ), wa, wb);
    }
  }

  for (var i = 0u; i < 2u * here; i++) {
    let c = column4 + i % 2u;
    if (c < K4) { finish(first + i / 2u, c, acc[i]); }
  }
}
