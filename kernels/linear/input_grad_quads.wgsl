// linear.input_grad for processors that run four invocations as one (quad_tile.wgsl). The low-rank part comes first, so
// that the mask can act on it alone.

@compute @workgroup_size(8)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(global_invocation_id) id: vec3<u32>) {
  let lane = id.x % 4u;
  let first = group.y * 32u;
  let column4 = id.x * 2u;
  let rows = chunk_rows();
  if (first >= rows) { return; }
  let row = site.row_start + first + lane;
  var acc: QuadTile;

  if (HAS_LOWRANK) {
    for (var j = 0u; j < (SZ + 3u) / 4u; j++) {
      let a0 = 4u * j * K4 + column4;
      let a1 = min(4u * j + 1u, SZ - 1u) * K4 + column4;
      let a2 = min(4u * j + 2u, SZ - 1u) * K4 + column4;
      let a3 = min(4u * j + 3u, SZ - 1u) * K4 + column4;
      let aa = mat4x4<f32>(a[a0], a[a1], a[a2], a[a3]);
      let ab = mat4x4<f32>(a[a0 + 1u], a[a1 + 1u], a[a2 + 1u], a[a3 + 1u]);
      add_rows(&acc, OwnRows(
        dz_at(row, j), dz_at(row + 4u, j), dz_at(row + 8u, j), dz_at(row + 12u, j),
        dz_at(row + 16u, j), dz_at(row + 20u, j), dz_at(row + 24u, j), dz_at(row + 28u, j),
      ), aa, ab);
    }
    if (DROPOUT != 0u) {
      let drop = dropper();
      for (var i = 0u; i < 64u; i++) {
        acc[i] = dropped(drop, acc[i], site.row_start + first + ((i / 2u) ^ lane), column4 + i % 2u);
      }
    }
  }

  if (HAS_BASE) {
    let dy0 = select(row, first + lane, CHUNKED_INPUT) * DY4 + DY_COLUMN / 4u;
    for (var n = 0u; n < (N + 3u) / 4u; n++) {
      let w0 = weight_row(4u * n);
      let w1 = weight_row(min(4u * n + 1u, N - 1u));
      let w2 = weight_row(min(4u * n + 2u, N - 1u));
      let w3 = weight_row(min(4u * n + 3u, N - 1u));
      let wa = mat4x4<f32>(load_w4(w0, column4), load_w4(w1, column4), load_w4(w2, column4), load_w4(w3, column4));
      let next4 = column4 + 1u;
      let wb = mat4x4<f32>(load_w4(w0, next4), load_w4(w1, next4), load_w4(w2, next4), load_w4(w3, next4));
      let at = dy0 + n;
      add_rows(&acc, OwnRows(
        dy[at], dy[at + 4u * DY4], dy[at + 8u * DY4], dy[at + 12u * DY4],
        dy[at + 16u * DY4], dy[at + 20u * DY4], dy[at + 24u * DY4], dy[at + 28u * DY4],
      ), wa, wb);
    }
  }

  for (var i = 0u; i < 64u; i++) {
    let place = first + ((i / 2u) ^ lane);
    let c = column4 + i % 2u;
    if (place < rows && c < K4) { finish(place, c, acc[i]); }
  }
}
