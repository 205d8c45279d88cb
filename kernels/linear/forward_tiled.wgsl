// linear.forward for hardware: a workgroup of 64 computes 64 × 64 outputs, 8 × 8 per invocation, with 16 steps of the
// reduction at a time staged in workgroup memory (10 KiB). Rows of a tile are 5 vec4 apart, one more than they hold,
// and rows of w are stored as (n % 4)·16 + n / 4, so that neighbouring invocations read different banks while each
// owns four neighbouring columns and writes them at once.
const PITCH: u32 = 5u;

var<workgroup> x_tile: array<vec4<f32>, 320>;
var<workgroup> w_tile: array<vec4<f32>, 320>;

// Adds the 16 staged steps. Lane (tx, ty) owns rows ty + 8·i and columns 4·tx..+3 and 32 + 4·tx..+3.
fn multiply(acc: ptr<function, array<vec4<f32>, 16>>, tx: u32, ty: u32) {
  for (var k = 0u; k < 4u; k++) {
    let u = tx * PITCH + k;
    let v = u + 8u * PITCH;
    let wa = mat4x4<f32>(w_tile[u], w_tile[u + 80u], w_tile[u + 160u], w_tile[u + 240u]);
    let wb = mat4x4<f32>(w_tile[v], w_tile[v + 80u], w_tile[v + 160u], w_tile[v + 240u]);
    let r = ty * PITCH + k;
    let x0 = x_tile[r]; let x1 = x_tile[r + 40u]; let x2 = x_tile[r + 80u]; let x3 = x_tile[r + 120u];
    let x4 = x_tile[r + 160u]; let x5 = x_tile[r + 200u]; let x6 = x_tile[r + 240u]; let x7 = x_tile[r + 280u];
    (*acc)[0] += x0 * wa; (*acc)[1] += x0 * wb;
    (*acc)[2] += x1 * wa; (*acc)[3] += x1 * wb;
    (*acc)[4] += x2 * wa; (*acc)[5] += x2 * wb;
    (*acc)[6] += x3 * wa; (*acc)[7] += x3 * wb;
    (*acc)[8] += x4 * wa; (*acc)[9] += x4 * wb;
    (*acc)[10] += x5 * wa; (*acc)[11] += x5 * wb;
    (*acc)[12] += x6 * wa; (*acc)[13] += x6 * wb;
    (*acc)[14] += x7 * wa; (*acc)[15] += x7 * wb;
  }
}

// Accumulators are indexed by constants only: a driver that does not unroll would keep them in memory otherwise.
fn put(first: u32, here: u32, i: u32, column: u32, low: vec4<f32>, high: vec4<f32>) {
  if (i >= here) { return; }
  if (column < WIDTH_Y) { finish(first + i, column, low); }
  if (column + 32u < WIDTH_Y) { finish(first + i, column + 32u, high); }
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let tx = lane % 8u;
  let ty = lane / 8u;
  let column = group.x * 64u;
  let first = group.y * 64u;
  let rows = chunk_rows();
  if (first >= rows || column >= WIDTH_Y) { return; }
  let here = min(rows - first, 64u);
  let row = site.row_start + first;
  var acc: array<vec4<f32>, 16>;

  // Four passes of 64 lanes stage one tile: 16 rows × 4 vec4 each, so that four lanes read 64 bytes of one row.
  let part = lane % 4u;
  if (HAS_BASE) {
    for (var k = 0u; k < K4; k += 4u) {
      for (var r = lane / 4u; r < 64u; r += 16u) {
        var vx = vec4<f32>();
        var vw = vec4<f32>();
        if (k + part < K4) {
          if (r < here) { vx = x[(row + r) * K4 + k + part]; }
          vw = load_w4(w_row(column + r), k + part);
        }
        x_tile[r * PITCH + part] = vx;
        w_tile[(r % 4u * 16u + r / 4u) * PITCH + part] = vw;
      }
      workgroupBarrier();
      multiply(&acc, tx, ty);
      workgroupBarrier();
    }
  }

  // Each segment that overlaps the tile is a reduction of its own, over its columns only.
  if (HAS_LOWRANK && column < N) {
    var m = 0u;
    while (SEG_COLUMN[m + 1u] <= column) { m++; }
    for (var begin = column; begin < min(column + 64u, N); begin = SEG_COLUMN[m]) {
      let end = SEG_COLUMN[m + 1u];
      let rank4 = SEG_RANK[m] / 4u;
      for (var k = 0u; k < rank4; k += 4u) {
        for (var r = lane / 4u; r < 64u; r += 16u) {
          var vs = vec4<f32>();
          var vb = vec4<f32>();
          if (k + part < rank4) {
            if (r < here) { vs = s[(row + r) * (LD_S / 4u) + CHECKED_S[m] / 4u + k + part]; }
            let n = column + r;
            if (n >= begin && n < end) { vb = b[SEG_B[m] / 4u + (n - SEG_COLUMN[m]) * rank4 + k + part]; }
          }
          x_tile[r * PITCH + part] = vs;
          w_tile[(r % 4u * 16u + r / 4u) * PITCH + part] = vb;
        }
        workgroupBarrier();
        multiply(&acc, tx, ty);
        workgroupBarrier();
      }
      m++;
    }
  }

  put(first, here, ty, column + 4u * tx, acc[0], acc[1]);
  put(first, here, ty + 8u, column + 4u * tx, acc[2], acc[3]);
  put(first, here, ty + 16u, column + 4u * tx, acc[4], acc[5]);
  put(first, here, ty + 24u, column + 4u * tx, acc[6], acc[7]);
  put(first, here, ty + 32u, column + 4u * tx, acc[8], acc[9]);
  put(first, here, ty + 40u, column + 4u * tx, acc[10], acc[11]);
  put(first, here, ty + 48u, column + 4u * tx, acc[12], acc[13]);
  put(first, here, ty + 56u, column + 4u * tx, acc[14], acc[15]);
}
