// linear.forward on matrix units (matrix_tile.wgsl): x, w, s and b are rounded to f16, everything else is f32.
var<private> first_row: u32;
var<private> first_column: u32;
var<private> row_count: u32;

fn load_right(k: u32, column: u32) -> Right { return load_right_columns(column * PITCH + k); }

// `row` and `column` count from the corner of the tile.
fn put(row: u32, column: u32, sum: vec4<f32>) {
  if (first_row + row < row_count && first_column + column < WIDTH_Y) {
    finish(first_row + row, first_column + column, sum);
  }
}

@compute @workgroup_size(128)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let subgroup = lane / 32u;
  let top = subgroup / 2u * 64u;
  let edge = subgroup % 2u * 64u;
  let column = group.x * SIDE;
  let first = group.y * SIDE;
  let rows = chunk_rows();
  if (first >= rows || column >= WIDTH_Y) { return; }
  first_row = first;
  first_column = column;
  row_count = rows;
  let here = rows - first;
  let row = site.row_start + first;
  var sums = Sums();

  // Neighbours stage neighbouring steps of one row.
  let part = lane % (DEPTH / 4u);
  let begin = lane / (DEPTH / 4u);
  const STRIDE = 128u / (DEPTH / 4u);
  if (HAS_BASE) {
    for (var k = 0u; k < K4; k += DEPTH / 4u) {
      for (var r = begin; r < SIDE; r += STRIDE) {
        var vx = vec4<f32>();
        var vw = vec4<f32>();
        if (k + part < K4) {
          if (r < here) { vx = x[(row + r) * K4 + k + part]; }
          vw = load_w4(w_row(column + r), k + part);
        }
        stage_left(r * PITCH + 4u * part, vx);
        stage_right(r * PITCH + 4u * part, vw);
      }
      workgroupBarrier();
      multiply(&sums, top, edge);
      workgroupBarrier();
    }
  }

  // Each segment that overlaps the tile is a reduction of its own, over its columns only.
  if (HAS_LOWRANK && column < N) {
    var m = 0u;
    while (SEG_COLUMN[m + 1u] <= column) { m++; }
    for (var start = column; start < min(column + SIDE, N); start = SEG_COLUMN[m]) {
      let end = SEG_COLUMN[m + 1u];
      let rank4 = SEG_RANK[m] / 4u;
      for (var k = 0u; k < rank4; k += DEPTH / 4u) {
        for (var r = begin; r < SIDE; r += STRIDE) {
          var vs = vec4<f32>();
          var vb = vec4<f32>();
          if (k + part < rank4) {
            if (r < here) { vs = s[(row + r) * (LD_S / 4u) + CHECKED_S[m] / 4u + k + part]; }
            let n = column + r;
            if (n >= start && n < end) { vb = b[SEG_B[m] / 4u + (n - SEG_COLUMN[m]) * rank4 + k + part]; }
          }
          stage_left(r * PITCH + 4u * part, vs);
          stage_right(r * PITCH + 4u * part, vb);
        }
        workgroupBarrier();
        multiply(&sums, top, edge);
        workgroupBarrier();
      }
      m++;
    }
  }
  hand_over_all(&sums, lane, top, edge);
}
