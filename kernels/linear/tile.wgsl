// Register tile of one invocation: 16 rows × 8 columns, acc[2·row + half]. The larger the tile, the fewer loads per
// multiplication.
const TILE_ROWS = 16u;
alias Tile = array<vec4<f32>, 32>;
alias Rows = array<vec4<f32>, TILE_ROWS>;

// acc[row, n] += rows[row] · w[n], four steps of the reduction; wa and wb hold four rows of w each.
fn add_dots(acc: ptr<function, Tile>, x: Rows, wa: mat4x4<f32>, wb: mat4x4<f32>) {
  for (var i = 0u; i < TILE_ROWS; i++) { // @unroll
    (*acc)[2u * i] += x[i] * wa;
    (*acc)[2u * i + 1u] += x[i] * wb;
  }
}

// acc[row, k] += Σ_q rows[row][q] · w[q, k] for four rows q of w: columns k..k+3 of them in wa, k+4..k+7 in wb.
fn add_rows(acc: ptr<function, Tile>, x: Rows, wa: mat4x4<f32>, wb: mat4x4<f32>) {
  for (var i = 0u; i < TILE_ROWS; i++) { // @unroll
    (*acc)[2u * i] += wa * x[i];
    (*acc)[2u * i + 1u] += wb * x[i];
  }
}
