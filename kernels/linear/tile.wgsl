// Register tile of one invocation: 16 rows × 8 columns, acc[2·row + half]. Unrolled by hand, because an array indexed
// by a loop counter lives in memory; the larger the tile, the fewer loads per multiplication.
alias Tile = array<vec4<f32>, 32>;
alias Rows = array<vec4<f32>, 16>;

// acc[row, n] += rows[row] · w[n], four steps of the reduction; wa and wb hold four rows of w each.
fn add_dots(acc: ptr<function, Tile>, x: Rows, wa: mat4x4<f32>, wb: mat4x4<f32>) {
  (*acc)[0] += x[0] * wa; (*acc)[1] += x[0] * wb;
  (*acc)[2] += x[1] * wa; (*acc)[3] += x[1] * wb;
  (*acc)[4] += x[2] * wa; (*acc)[5] += x[2] * wb;
  (*acc)[6] += x[3] * wa; (*acc)[7] += x[3] * wb;
  (*acc)[8] += x[4] * wa; (*acc)[9] += x[4] * wb;
  (*acc)[10] += x[5] * wa; (*acc)[11] += x[5] * wb;
  (*acc)[12] += x[6] * wa; (*acc)[13] += x[6] * wb;
  (*acc)[14] += x[7] * wa; (*acc)[15] += x[7] * wb;
  (*acc)[16] += x[8] * wa; (*acc)[17] += x[8] * wb;
  (*acc)[18] += x[9] * wa; (*acc)[19] += x[9] * wb;
  (*acc)[20] += x[10] * wa; (*acc)[21] += x[10] * wb;
  (*acc)[22] += x[11] * wa; (*acc)[23] += x[11] * wb;
  (*acc)[24] += x[12] * wa; (*acc)[25] += x[12] * wb;
  (*acc)[26] += x[13] * wa; (*acc)[27] += x[13] * wb;
  (*acc)[28] += x[14] * wa; (*acc)[29] += x[14] * wb;
  (*acc)[30] += x[15] * wa; (*acc)[31] += x[15] * wb;
}

// acc[row, k] += Σ_q rows[row][q] · w[q, k] for four rows q of w: columns k..k+3 of them in wa, k+4..k+7 in wb.
fn add_rows(acc: ptr<function, Tile>, x: Rows, wa: mat4x4<f32>, wb: mat4x4<f32>) {
  (*acc)[0] += wa * x[0]; (*acc)[1] += wb * x[0];
  (*acc)[2] += wa * x[1]; (*acc)[3] += wb * x[1];
  (*acc)[4] += wa * x[2]; (*acc)[5] += wb * x[2];
  (*acc)[6] += wa * x[3]; (*acc)[7] += wb * x[3];
  (*acc)[8] += wa * x[4]; (*acc)[9] += wb * x[4];
  (*acc)[10] += wa * x[5]; (*acc)[11] += wb * x[5];
  (*acc)[12] += wa * x[6]; (*acc)[13] += wb * x[6];
  (*acc)[14] += wa * x[7]; (*acc)[15] += wb * x[7];
  (*acc)[16] += wa * x[8]; (*acc)[17] += wb * x[8];
  (*acc)[18] += wa * x[9]; (*acc)[19] += wb * x[9];
  (*acc)[20] += wa * x[10]; (*acc)[21] += wb * x[10];
  (*acc)[22] += wa * x[11]; (*acc)[23] += wb * x[11];
  (*acc)[24] += wa * x[12]; (*acc)[25] += wb * x[12];
  (*acc)[26] += wa * x[13]; (*acc)[27] += wb * x[13];
  (*acc)[28] += wa * x[14]; (*acc)[29] += wb * x[14];
  (*acc)[30] += wa * x[15]; (*acc)[31] += wb * x[15];
}
