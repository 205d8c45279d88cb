// Gradients of the adapters on one input, sums over all tokens in an order that never changes; nothing is atomic:
//   dB_m[i, r] += Σ_t dy[t, SEG_COLUMN[m] + i]·s[t, SEG_S[m] + r]      dA[j, k] += Σ_t dz[t, j]·drop(x)[t, k]
// and what the spaces ask for (gains/reduce.wgsl). Workgroups for dB come first, then dA, then one for each result of
// `reduce`. An invocation sums 8 × 8 elements; SLICES of them share the tokens: number i takes i, i + SLICES, ….
const LD_X: u32 = 64u; // @param
const B_OFFSET: u32 = 0u; // @param floats from the start of grads, which is dA
const GEOMETRY_OFFSET: u32 = 0u; // @param
const B_RANK: u32 = 16u; // @param largest of SEG_RANK
const SLICES: u32 = 1u; // @param

@group(0) @binding(2) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> dy: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read> dz: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read> inner: array<vec4<f32>>;
@group(0) @binding(6) var<storage, read_write> grads: array<f32>;
@group(0) @binding(7) var<storage, read_write> gram_grad: array<f32>;

const LANES = 64u;
const TILES = LANES / SLICES;
const B_WIDE = SEG_COLUMN[SEGMENTS] / 8u;
const B_GROUPS = (B_WIDE * ((B_RANK + 7u) / 8u) + TILES - 1u) / TILES;
const A_WIDE = (LD_X + 7u) / 8u;
const A_GROUPS = (A_WIDE * ((LD_Z + 7u) / 8u) + TILES - 1u) / TILES;

alias Sums = array<vec4<f32>, 16>;
var<workgroup> handed: array<Sums, select(1u, TILES, SLICES > 1u)>;

fn add_product(acc: ptr<function, Sums>, a0: vec4<f32>, a1: vec4<f32>, b0: vec4<f32>, b1: vec4<f32>) {
  (*acc)[0] += a0.x * b0; (*acc)[1] += a0.x * b1;
  (*acc)[2] += a0.y * b0; (*acc)[3] += a0.y * b1;
  (*acc)[4] += a0.z * b0; (*acc)[5] += a0.z * b1;
  (*acc)[6] += a0.w * b0; (*acc)[7] += a0.w * b1;
  (*acc)[8] += a1.x * b0; (*acc)[9] += a1.x * b1;
  (*acc)[10] += a1.y * b0; (*acc)[11] += a1.y * b1;
  (*acc)[12] += a1.z * b0; (*acc)[13] += a1.z * b1;
  (*acc)[14] += a1.w * b0; (*acc)[15] += a1.w * b1;
}

// Adds the slices of a tile in order; the first invocation of each then has the sum.
fn join(acc: ptr<function, Sums>, tile: u32, slice: u32) {
  for (var i = 1u; i < SLICES; i++) {
    if (slice == i) { handed[tile] = *acc; }
    workgroupBarrier();
    if (slice == 0u) {
      (*acc)[0] += handed[tile][0]; (*acc)[1] += handed[tile][1]; (*acc)[2] += handed[tile][2]; (*acc)[3] += handed[tile][3];
      (*acc)[4] += handed[tile][4]; (*acc)[5] += handed[tile][5]; (*acc)[6] += handed[tile][6]; (*acc)[7] += handed[tile][7];
      (*acc)[8] += handed[tile][8]; (*acc)[9] += handed[tile][9]; (*acc)[10] += handed[tile][10]; (*acc)[11] += handed[tile][11];
      (*acc)[12] += handed[tile][12]; (*acc)[13] += handed[tile][13]; (*acc)[14] += handed[tile][14]; (*acc)[15] += handed[tile][15];
    }
    workgroupBarrier();
  }
}

// Adds up to 8 × 8 elements to a matrix of `ld` columns; (i, j) is the first of them, `at` the matrix.
fn add(acc: ptr<function, Sums>, at: u32, ld: u32, i: u32, j: u32, rows: u32) {
  for (var r = 0u; r < min(8u, rows - i); r++) {
    for (var c = 0u; c < min(8u, ld - j); c++) { grads[at + (i + r) * ld + j + c] += (*acc)[2u * r + c / 4u][c % 4u]; }
  }
}

fn inner_at(at: u32) -> f32 { return inner[at / 4u][at % 4u]; }
fn dz_at(at: u32) -> f32 { return dz[at / 4u][at % 4u]; }

// Eight rows of B and eight of its columns.
fn grad_b(group: u32, tile: u32, slice: u32) {
  let number = group * TILES + tile;
  let column = number % B_WIDE * 8u;
  let j = number / B_WIDE * 8u;
  var m = 0u;
  while (SEG_COLUMN[m + 1u] <= column) { m++; }
  let rank = SEG_RANK[m];
  let mine = j < rank;
  var acc: Sums;
  for (var t = slice; t < select(0u, frame.tokens, mine); t += SLICES) {
    let d = t * DY4 + column / 4u;
    let s = (t * LD_INNER + S_COLUMN + CHECKED_S[m] + j) / 4u;
    // Past the rank stand other columns; those sums are dropped.
    add_product(&acc, dy[d], dy[d + 1u], inner[s], inner[s + 1u]);
  }
  join(&acc, tile, slice);
  if (mine && slice == 0u) { add(&acc, B_OFFSET + SEG_B[m], rank, column - SEG_COLUMN[m], j, SEG_COLUMN[m + 1u] - SEG_COLUMN[m]); }
}

// Eight rows of A and eight of its columns.
fn grad_a(group: u32, tile: u32, slice: u32) {
  let number = group * TILES + tile;
  let k = number % A_WIDE * 8u;
  let j = number / A_WIDE * 8u;
  let mine = j < LD_Z;
  let drop = dropper();
  var acc: Sums;
  for (var t = slice; t < select(0u, frame.tokens, mine); t += SLICES) {
    let d = (t * LD_DZ + j) / 4u;
    var x0 = x[(t * LD_X + k) / 4u];
    var x1 = x[(t * LD_X + k) / 4u + 1u];
    if (DROPOUT != 0u) {
      x0 = dropped(drop, x0, t, k / 4u);
      x1 = dropped(drop, x1, t, k / 4u + 1u);
    }
    add_product(&acc, dz[d], dz[d + 1u], x0, x1);
  }
  join(&acc, tile, slice);
  if (mine && slice == 0u) { add(&acc, 0u, LD_X, j, k, LD_Z); }
}

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let tile = lane % TILES;
  let slice = lane / TILES;
  if (group.x < B_GROUPS) {
    grad_b(group.x, tile, slice);
  } else if (group.x < B_GROUPS + A_GROUPS) {
    grad_a(group.x - B_GROUPS, tile, slice);
  } else {
    reduce(group.x - B_GROUPS - A_GROUPS, lane);
  }
}
