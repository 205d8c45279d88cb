// linear.input_grad on matrix units (matrix_tile.wgsl): dy, w, dz and a are rounded to f16, so the loss wants a scale;
// everything else is f32. Without dropout, whose mask acts on elements of the low-rank part alone.
var<private> first_row: u32;
var<private> first_column: u32;
var<private> row_count: u32;

fn load_right(k: u32, column: u32) -> Right { return load_right_rows(k * WIDE_PITCH + column); }

// `row` and `column` count from the corner of the tile.
fn put(row: u32, column: u32, sum: vec4<f32>) {
  let column4 = (first_column + column) / 4u;
  if (first_row + row < row_count && column4 < K4) { finish(first_row + row, column4, sum); }
}

@compute @workgroup_size(128)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let subgroup = lane / 32u;
  let top = subgroup / 2u * 64u;
  let edge = subgroup % 2u * 64u;
  let column4 = group.x * SIDE / 4u;
  let first = group.y * SIDE;
  let rows = chunk_rows();
  if (first >= rows || column4 >= K4) { return; }
  first_row = first;
  first_column = 4u * column4;
  row_count = rows;
  let here = rows - first;
  let row = site.row_start + first;
  var sums = Sums();

  // Of the left tile neighbours stage neighbouring steps of one row, of the right one all columns of a step.
  let part = lane % (DEPTH / 4u);
  let begin = lane / (DEPTH / 4u);
  const STRIDE = 128u / (DEPTH / 4u);
  let c = lane % 32u;
  if (HAS_LOWRANK) {
    for (var j = 0u; j < SZ; j += DEPTH) {
      for (var r = begin; r < SIDE; r += STRIDE) {
        var v = vec4<f32>();
        if (r < here && j + 4u * part < SZ) { v = dz_at(row + r, j / 4u + part); }
        stage_gradient(r * PITCH + 4u * part, v);
      }
      for (var q = lane / 32u; q < DEPTH; q += 4u) {
        var v = vec4<f32>();
        if (j + q < SZ && column4 + c < K4) { v = a[(j + q) * K4 + column4 + c]; }
        stage_right(q * WIDE_PITCH + 4u * c, v);
      }
      workgroupBarrier();
      multiply(&sums, top, edge);
      workgroupBarrier();
    }
  }
  if (HAS_BASE) {
    let dy0 = select(row, first, CHUNKED_INPUT) * DY4 + DY_COLUMN / 4u;
    for (var n = 0u; n < N; n += DEPTH) {
      for (var r = begin; r < SIDE; r += STRIDE) {
        var v = vec4<f32>();
        if (r < here && DY_COLUMN + n + 4u * part < LD_DY) { v = dy[dy0 + r * DY4 + n / 4u + part]; }
        stage_gradient(r * PITCH + 4u * part, v);
      }
      for (var q = lane / 32u; q < DEPTH; q += 4u) {
        var v = vec4<f32>();
        if (n + q < N && column4 + c < K4) { v = load_w4(weight_row(n + q), column4 + c); }
        stage_right(q * WIDE_PITCH + 4u * c, v);
      }
      workgroupBarrier();
      multiply(&sums, top, edge);
      workgroupBarrier();
    }
  }
  hand_over_all(&sums, lane, top, edge);
}
