// linear.input_grad for hardware: 64 × 64 outputs per workgroup, staged (staged_rows.wgsl).

// Accumulators are indexed by constants only: a driver that does not unroll would keep them in memory otherwise.
fn put(first: u32, here: u32, i: u32, column4: u32, low: vec4<f32>, high: vec4<f32>) {
  if (i >= here) { return; }
  if (column4 < K4) { finish(first + i, column4, low); }
  if (column4 + 8u < K4) { finish(first + i, column4 + 8u, high); }
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let tx = lane % 8u;
  let ty = lane / 8u;
  let column4 = group.x * 16u;
  let first = group.y * 64u;
  let rows = chunk_rows();
  if (first >= rows || column4 >= K4) { return; }
  let here = min(rows - first, 64u);
  let row = site.row_start + first;
  var acc: array<vec4<f32>, 16>;

  // Staging: of the left tile four lanes read 64 bytes of a row, of the right one sixteen lanes read 256 bytes.
  let part = lane % 4u;
  let c = lane % 16u;
  if (HAS_LOWRANK) {
    for (var j = 0u; j < SZ; j += 16u) {
      for (var r = lane / 4u; r < 64u; r += 16u) {
        var v = vec4<f32>();
        if (r < here && j + 4u * part < SZ) { v = dz_at(row + r, j / 4u + part); }
        left[r * PITCH + part] = v;
      }
      for (var q = lane / 16u; q < 16u; q += 4u) {
        var v = vec4<f32>();
        if (j + q < SZ && column4 + c < K4) { v = a[(j + q) * K4 + column4 + c]; }
        right[q * 16u + c] = v;
      }
      workgroupBarrier();
      multiply(&acc, tx, ty);
      workgroupBarrier();
    }
    if (DROPOUT != 0u) {
      let drop = dropper();
      let r = row + ty;
      let k = column4 + tx;
      acc[0] = dropped(drop, acc[0], r, k); acc[1] = dropped(drop, acc[1], r, k + 8u);
      acc[2] = dropped(drop, acc[2], r + 8u, k); acc[3] = dropped(drop, acc[3], r + 8u, k + 8u);
      acc[4] = dropped(drop, acc[4], r + 16u, k); acc[5] = dropped(drop, acc[5], r + 16u, k + 8u);
      acc[6] = dropped(drop, acc[6], r + 24u, k); acc[7] = dropped(drop, acc[7], r + 24u, k + 8u);
      acc[8] = dropped(drop, acc[8], r + 32u, k); acc[9] = dropped(drop, acc[9], r + 32u, k + 8u);
      acc[10] = dropped(drop, acc[10], r + 40u, k); acc[11] = dropped(drop, acc[11], r + 40u, k + 8u);
      acc[12] = dropped(drop, acc[12], r + 48u, k); acc[13] = dropped(drop, acc[13], r + 48u, k + 8u);
      acc[14] = dropped(drop, acc[14], r + 56u, k); acc[15] = dropped(drop, acc[15], r + 56u, k + 8u);
    }
  }

  if (HAS_BASE) {
    let dy0 = select(row, first, CHUNKED_INPUT) * DY4 + DY_COLUMN / 4u;
    for (var n = 0u; n < N; n += 16u) {
      for (var r = lane / 4u; r < 64u; r += 16u) {
        var v = vec4<f32>();
        if (r < here && DY_COLUMN + n + 4u * part < LD_DY) { v = dy[dy0 + r * DY4 + n / 4u + part]; }
        left[r * PITCH + part] = v;
      }
      for (var q = lane / 16u; q < 16u; q += 4u) {
        var v = vec4<f32>();
        if (n + q < N && column4 + c < K4) { v = load_w4(weight_row(n + q), column4 + c); }
        right[q * 16u + c] = v;
      }
      workgroupBarrier();
      multiply(&acc, tx, ty);
      workgroupBarrier();
    }
  }

  put(first, here, ty, column4 + tx, acc[0], acc[1]);
  put(first, here, ty + 8u, column4 + tx, acc[2], acc[3]);
  put(first, here, ty + 16u, column4 + tx, acc[4], acc[5]);
  put(first, here, ty + 24u, column4 + tx, acc[6], acc[7]);
  put(first, here, ty + 32u, column4 + tx, acc[8], acc[9]);
  put(first, here, ty + 40u, column4 + tx, acc[10], acc[11]);
  put(first, here, ty + 48u, column4 + tx, acc[12], acc[13]);
  put(first, here, ty + 56u, column4 + tx, acc[14], acc[15]);
}
