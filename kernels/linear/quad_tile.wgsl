// Register tile of one invocation where four neighbours share what they load: 32 rows × 8 columns, acc[2·i + half]. Each
// loads its own columns and one row of every four, and they hand rows over, so that place i belongs to row i ^ lane. On
// SwiftShader a loaded vec4 costs as much as 48 multiplications, and handing one over less than four.
enable subgroups;

alias QuadTile = array<vec4<f32>, 64>;
const QUAD_BLOCKS = 8u;
// Every fourth row.
alias OwnRows = array<vec4<f32>, QUAD_BLOCKS>;

// acc[row, n] += rows[row] · w[n], four steps of the reduction; wa and wb hold four rows of w each.
fn add_dots(acc: ptr<function, QuadTile>, own: OwnRows, wa: mat4x4<f32>, wb: mat4x4<f32>) {
  for (var i = 0u; i < QUAD_BLOCKS; i++) { // @unroll
    let x0 = own[i];
    let x1 = quadSwapX(x0);
    let x2 = quadSwapY(x0);
    let x3 = quadSwapDiagonal(x0);
    (*acc)[8u * i] += x0 * wa; (*acc)[8u * i + 1u] += x0 * wb;
    (*acc)[8u * i + 2u] += x1 * wa; (*acc)[8u * i + 3u] += x1 * wb;
    (*acc)[8u * i + 4u] += x2 * wa; (*acc)[8u * i + 5u] += x2 * wb;
    (*acc)[8u * i + 6u] += x3 * wa; (*acc)[8u * i + 7u] += x3 * wb;
  }
}

// acc[row, k] += Σ_q rows[row][q] · w[q, k] for four rows q of w: columns k..k+3 of them in wa, k+4..k+7 in wb.
fn add_rows(acc: ptr<function, QuadTile>, own: OwnRows, wa: mat4x4<f32>, wb: mat4x4<f32>) {
  for (var i = 0u; i < QUAD_BLOCKS; i++) { // @unroll
    let x0 = own[i];
    let x1 = quadSwapX(x0);
    let x2 = quadSwapY(x0);
    let x3 = quadSwapDiagonal(x0);
    (*acc)[8u * i] += wa * x0; (*acc)[8u * i + 1u] += wb * x0;
    (*acc)[8u * i + 2u] += wa * x1; (*acc)[8u * i + 3u] += wb * x1;
    (*acc)[8u * i + 4u] += wa * x2; (*acc)[8u * i + 5u] += wb * x2;
    (*acc)[8u * i + 6u] += wa * x3; (*acc)[8u * i + 7u] += wb * x3;
  }
}
