// Bindings, parameters and epilogue that the variants of linear.forward share; w is declared by weights/*.wgsl:
//   y[t, n] = Σ_k x[t, k]·w[n, k] + bias[n] + Σ_r s[t, SEG_S + r]·b_m[n − SEG_COLUMN, r] + residual[t, n]
// Segment m is one frozen module: output columns [SEG_COLUMN[m], SEG_COLUMN[m + 1]), rank SEG_RANK[m] (0 = no adapter).
const LD_X: u32 = 64u; // @param
const N: u32 = 64u; // @param columns computed; columns N..LD_Y become zeros
const W_ROWS: u32 = 0u; // @param rows that w really has; columns past them become zeros; 0 = N
const LD_Y: u32 = 64u; // @param
const Y_COLUMN: u32 = 0u; // @param column of y where this w begins, multiple of 4
const Y_WRITTEN: u32 = 0u; // @param columns of y written from there, multiple of 4; 0 = LD_Y
const LD_S: u32 = 16u; // @param
const HAS_BASE: bool = true; // @param
const HAS_BIAS: bool = false; // @param
const HAS_RESIDUAL: bool = false; // @param
const CHUNKED_OUTPUT: bool = false; // @param row 0 of y is the chunk's first row
const SEGMENTS: u32 = 1u; // @param length of SEG_S
const SEG_COLUMN: array<u32, 2> = array<u32, 2>(0u, 64u); // @param multiples of 8, the last one N
const SEG_S: array<u32, 1> = array<u32, 1>(0u); // @param first column in s, multiple of 4
const SEG_RANK: array<u32, 1> = array<u32, 1>(0u); // @param multiple of 4
const SEG_B: array<u32, 1> = array<u32, 1>(0u); // @param first float in b, multiple of 4

@group(0) @binding(2) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read> bias: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read> s: array<vec4<f32>>;
@group(0) @binding(6) var<storage, read> b: array<vec4<f32>>;
@group(0) @binding(7) var<storage, read> residual: array<vec4<f32>>;
@group(0) @binding(8) var<storage, read_write> y: array<vec4<f32>>;

const K4: u32 = LD_X / 4u;
// Does not compile when SEGMENTS is wrong.
const CHECKED_S: array<u32, SEGMENTS> = SEG_S;
// One segment without adapter is none; knowing it here halves the time a driver needs to compile the kernel.
const HAS_LOWRANK: bool = SEGMENTS > 1u || SEG_RANK[0] > 0u;
const WIDTH_Y: u32 = select(Y_WRITTEN, LD_Y, Y_WRITTEN == 0u);
const REAL: u32 = select(W_ROWS, N, W_ROWS == 0u);

// A row of w. Past the end the last row stands in; `finish` drops what came of it.
fn w_row(n: u32) -> WeightRow {
  return weight_row(min(n, REAL - 1u));
}

// `i` counts rows from the start of the chunk; `column` is a multiple of 4 below WIDTH_Y.
fn finish(i: u32, column: u32, sum: vec4<f32>) {
  let row = site.row_start + i;
  let y4 = (Y_COLUMN + column) / 4u;
  var value = sum;
  if (HAS_BIAS) { value += bias[column / 4u]; }
  if (HAS_RESIDUAL) { value += residual[row * (LD_Y / 4u) + y4]; }
  let real = column + vec4<u32>(0u, 1u, 2u, 3u) < vec4<u32>(min(REAL, N));
  y[select(row, i, CHUNKED_OUTPUT) * (LD_Y / 4u) + y4] = select(vec4<f32>(), value, real);
}
