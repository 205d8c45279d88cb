// linear.output_grad for hardware: 64 × 64 outputs per workgroup, staged (staged_rows.wgsl). Each segment that overlaps
// the columns is a reduction of its own, over its rows of b, in its columns only.

// Accumulators are indexed by constants only: a driver that does not unroll would keep them in memory otherwise.
fn put(row: u32, here: u32, i: u32, column4: u32, low: vec4<f32>, high: vec4<f32>) {
  if (i >= here) { return; }
  if (column4 < S4) { h[(row + i) * S4 + column4] = low; }
  if (column4 + 8u < S4) { h[(row + i) * S4 + column4 + 8u] = high; }
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let tx = lane % 8u;
  let ty = lane / 8u;
  let column = group.x * 64u;
  let row = group.y * 64u;
  if (row >= frame.tokens || column >= LD_S) { return; }
  let here = min(frame.tokens - row, 64u);
  var acc: array<vec4<f32>, 16>;

  let part = lane % 4u;
  let c = column + 4u * (lane % 16u);
  for (var m = 0u; m < SEGMENTS; m++) {
    let begin = CHECKED_S[m];
    let end = begin + SEG_RANK[m];
    if (begin >= end || begin >= column + 64u || end <= column) { continue; }
    let start = SEG_COLUMN[m];
    let stop = SEG_COLUMN[m + 1u];
    let mine = c >= begin && c < end;
    for (var n = start; n < stop; n += 16u) {
      for (var r = lane / 4u; r < 64u; r += 16u) {
        var v = vec4<f32>();
        if (r < here && n + 4u * part < stop) { v = dy[(row + r) * DY4 + n / 4u + part]; }
        left[r * PITCH + part] = v;
      }
      for (var q = lane / 16u; q < 16u; q += 4u) {
        var v = vec4<f32>();
        if (mine && n + q < stop) { v = b[(SEG_B[m] + (n + q - start) * (end - begin) + c - begin) / 4u]; }
        right[q * 16u + lane % 16u] = v;
      }
      workgroupBarrier();
      multiply(&acc, tx, ty);
      workgroupBarrier();
    }
  }

  put(row, here, ty, column / 4u + tx, acc[0], acc[1]);
  put(row, here, ty + 8u, column / 4u + tx, acc[2], acc[3]);
  put(row, here, ty + 16u, column / 4u + tx, acc[4], acc[5]);
  put(row, here, ty + 24u, column / 4u + tx, acc[6], acc[7]);
  put(row, here, ty + 32u, column / 4u + tx, acc[8], acc[9]);
  put(row, here, ty + 40u, column / 4u + tx, acc[10], acc[11]);
  put(row, here, ty + 48u, column / 4u + tx, acc[12], acc[13]);
  put(row, here, ty + 56u, column / 4u + tx, acc[14], acc[15]);
}
