// linear.forward for a handful of rows (decoding), where reading w is all the work: a workgroup computes 64 columns of
// one row, four invocations sharing the reduction of each four columns, so that they read w in runs of 64 bytes.
const LANES: u32 = 4u;

var<workgroup> partial: array<array<vec4<f32>, LANES>, 16>;

@compute @workgroup_size(LANES, 16)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_id) local: vec3<u32>) {
  let i = group.y;
  if (i >= chunk_rows()) { return; }
  let row = site.row_start + i;
  let column = group.x * 64u + local.y * 4u;
  var sum: vec4<f32>;

  if (HAS_BASE) {
    let drop = dropper();
    let w0 = w_row(column); let w1 = w_row(column + 1u); let w2 = w_row(column + 2u); let w3 = w_row(column + 3u);
    for (var k = local.x; k < K4; k += LANES) {
      var v = x[row * K4 + k];
      if (DROPOUT != 0u) { v = dropped(drop, v, row, k); }
      sum += v * mat4x4<f32>(load_w4(w0, k), load_w4(w1, k), load_w4(w2, k), load_w4(w3, k));
    }
  }
  if (HAS_LOWRANK && column < N) {
    var m = 0u;
    while (SEG_COLUMN[m + 1u] <= column) { m++; }
    let rank4 = SEG_RANK[m] / 4u;
    let b0 = SEG_B[m] / 4u + (column - SEG_COLUMN[m]) * rank4;
    for (var r = local.x; r < rank4; r += LANES) {
      let bn = b0 + r;
      let v = s[row * (LD_S / 4u) + CHECKED_S[m] / 4u + r];
      sum += v * mat4x4<f32>(b[bn], b[bn + rank4], b[bn + 2u * rank4], b[bn + 3u * rank4]);
    }
  }

  partial[local.y][local.x] = sum;
  workgroupBarrier();
  if (local.x == 0u && column < WIDTH_Y) {
    for (var l = 1u; l < LANES; l++) { sum += partial[local.y][l]; }
    finish(i, column, sum);
  }
}
