// Bindings, parameters and epilogue that both variants of linear.input_grad share; w is declared by weights/*.wgsl:
//   dx[t, k] = Σ_n dy[t, n]·w[n, k] + drop∘(Σ_j dz[t, j]·a[j, k]) + x[t, k]·Σ_i dz[t, RADIAL_COLUMN + i] + addend[t, k]
const LD_DY: u32 = 64u; // @param
const N: u32 = 64u; // @param rows of w
const DY_COLUMN: u32 = 0u; // @param column of dy where this w begins, multiple of 4
const LD_DX: u32 = 64u; // @param also of w, a, x and addend
const LD_DZ: u32 = 16u; // @param
const SZ: u32 = 16u; // @param rows of a
const RADIALS: u32 = 0u; // @param
const RADIAL_COLUMN: u32 = 0u; // @param
const HAS_BASE: bool = true; // @param
const HAS_LOWRANK: bool = false; // @param
const HAS_ADDEND: bool = false; // @param
const CHUNKED_INPUT: bool = false; // @param row 0 of dy is the chunk's first row

@group(0) @binding(2) var<storage, read> dy: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read> dz: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read> a: array<vec4<f32>>;
@group(0) @binding(6) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(7) var<storage, read> addend: array<vec4<f32>>;
@group(0) @binding(8) var<storage, read_write> dx: array<vec4<f32>>;

const K4: u32 = LD_DX / 4u;
const DY4: u32 = LD_DY / 4u;
const DZ4: u32 = LD_DZ / 4u;

// Columns of dz past SZ are not of a; they hold the radial terms, for one.
fn dz_at(row: u32, j4: u32) -> vec4<f32> {
  var value = dz[row * DZ4 + j4];
  if (SZ % 4u != 0u) { value = select(vec4<f32>(), value, 4u * j4 + vec4<u32>(0u, 1u, 2u, 3u) < vec4<u32>(SZ)); }
  return value;
}

// `i` counts rows from the start of the chunk; `column4` is a column in vec4s.
fn finish(i: u32, column4: u32, sum: vec4<f32>) {
  let row = site.row_start + i;
  let at = row * K4 + column4;
  var value = sum;
  if (RADIALS > 0u) {
    var radial = 0.0;
    for (var c = RADIAL_COLUMN; c < RADIAL_COLUMN + RADIALS; c++) { radial += dz[row * DZ4 + c / 4u][c % 4u]; }
    value += radial * x[at];
  }
  if (HAS_ADDEND) { value += addend[at]; }
  dx[at] = value;
}
