// linear.forward for a handful of rows (decoding), where reading w is all the work: a workgroup computes 64 columns of up
// to four rows, an invocation four columns of them. On hardware LANES invocations share each reduction, so that they read w
// in runs of 64 bytes; on SwiftShader that costs four times as much as it does alone.
const LANES: u32 = 1u; // @param 1 or 4

alias Sums = array<vec4<f32>, 4>;
const ROWS = 4u;
var<workgroup> partial: array<array<vec4<f32>, LANES>, 64>;

fn put(row: u32, rows: u32, column: u32, sum: vec4<f32>) {
  if (row < rows && column < WIDTH_Y) { finish(row, column, sum); }
}

@compute @workgroup_size(LANES, 16)
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(local_invocation_id) local: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let first = group.y * 4u;
  let rows = chunk_rows();
  if (first >= rows) { return; }
  let several = rows - first > 1u;
  let row = site.row_start + first;
  let column = group.x * 64u + local.y * 4u;
  var sums: Sums;

  if (HAS_BASE) {
    let w0 = w_row(column); let w1 = w_row(column + 1u); let w2 = w_row(column + 2u); let w3 = w_row(column + 3u);
    for (var k = local.x; k < K4; k += LANES) {
      let m = mat4x4<f32>(load_w4(w0, k), load_w4(w1, k), load_w4(w2, k), load_w4(w3, k));
      add_rows(&sums, lane, row, several, k, m);
    }
  }
  if (HAS_LOWRANK && column < N) {
    var m = 0u;
    while (SEG_COLUMN[m + 1u] <= column) { m++; }
    let rank4 = SEG_RANK[m] / 4u;
    let b0 = SEG_B[m] / 4u + (column - SEG_COLUMN[m]) * rank4;
    for (var r = local.x; r < rank4; r += LANES) {
      let bm = mat4x4<f32>(b[b0 + r], b[b0 + r + rank4], b[b0 + r + 2u * rank4], b[b0 + r + 3u * rank4]);
      let at = row * (LD_S / 4u) + CHECKED_S[m] / 4u + r;
      for (var i = 0u; i < ROWS; i++) { // @unroll
        sums[i] += s[at + place(lane, i) * (LD_S / 4u)] * bm;
      }
    }
  }

  if (LANES == 1u) {
    for (var i = 0u; i < ROWS; i++) { // @unroll
      put(first + place(lane, i), rows, column, sums[i]);
    }
    return;
  }
  let at = 4u * local.y;
  for (var i = 0u; i < ROWS; i++) { // @unroll
    partial[at + i][local.x] = sums[i];
  }
  workgroupBarrier();
  // each of the four invocations finishes a row
  var sum = vec4<f32>();
  for (var l = 0u; l < LANES; l++) { sum += partial[at + local.x][l]; }
  put(first + local.x, rows, column, sum);
}
