// Gradients of the adapters on one input, sums over all tokens in an order that never changes; nothing is atomic:
//   dB_m[i, r] += Σ_t dy[t, SEG_COLUMN[m] + i]·s[t, SEG_S[m] + r]      dA[j, k] += Σ_t dz[t, j]·drop(x)[t, k]
// and what the spaces ask for (gains/reduce.wgsl). Workgroups for dB come first, then dA, then one for each result of
// `reduce`. An invocation sums 8 × 8 elements over four tokens at a
// time; SLICES of them share the tokens: number i takes four from 4·i on, from 4·(i + SLICES) on, ….
const LD_X: u32 = 64u; // @param
const B_OFFSET: u32 = 0u; // @param floats from the start of grads, which is dA
const GEOMETRY_OFFSET: u32 = 0u; // @param
const B_RANK: u32 = 16u; // @param largest of SEG_RANK
const SLICES: u32 = 1u; // @param
const LANES: u32 = 16u; // @param of a workgroup, a multiple of SLICES

@group(0) @binding(2) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> dy: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read> dz: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read> inner: array<vec4<f32>>;
@group(0) @binding(6) var<storage, read_write> grads: array<f32>;
@group(0) @binding(7) var<storage, read_write> gram_grad: array<f32>;

const TILES = LANES / SLICES;
// Neighbours that share what they load are in one row of tiles.
const B_WIDE = (SEG_COLUMN[SEGMENTS] / 8u + SHARE - 1u) / SHARE * SHARE;
const B_GROUPS = (B_WIDE * ((B_RANK + 7u) / 8u) + TILES - 1u) / TILES;
const A_WIDE = ((LD_X + 7u) / 8u + SHARE - 1u) / SHARE * SHARE;
const A_GROUPS = (A_WIDE * ((LD_Z + 7u) / 8u) + TILES - 1u) / TILES;

alias Sums = array<vec4<f32>, 16>;
var<workgroup> handed: array<Sums, select(1u, TILES, SLICES > 1u)>;

// Four tokens' worth. Columns of a0 and a1 are tokens, and so are those of b0 and b1.
fn add_products(acc: ptr<function, Sums>, a0: mat4x4<f32>, a1: mat4x4<f32>, b0: mat4x4<f32>, b1: mat4x4<f32>) {
  let r0 = transpose(a0);
  let r1 = transpose(a1);
  for (var i = 0u; i < 4u; i++) { // @unroll
    (*acc)[2u * i] += b0 * r0[i];
    (*acc)[2u * i + 1u] += b1 * r0[i];
    (*acc)[2u * i + 8u] += b0 * r1[i];
    (*acc)[2u * i + 9u] += b1 * r1[i];
  }
}

// The token that comes as number i of the four from t on; past the end the last one stands in.
fn token(lane: u32, t: u32, i: u32) -> u32 { return min(t + (i ^ (lane % SHARE)), frame.tokens - 1u); }

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

// Four columns of a token; a token past the end adds nothing.
fn s_of(t: u32, column: u32) -> vec4<f32> {
  return select(vec4<f32>(), inner[(min(t, frame.tokens - 1u) * LD_INNER + S_COLUMN + column) / 4u], t < frame.tokens);
}
fn dz_of(t: u32, column: u32) -> vec4<f32> {
  return select(vec4<f32>(), dz[(min(t, frame.tokens - 1u) * LD_DZ + column) / 4u], t < frame.tokens);
}
fn dy_of(lane: u32, t: u32, column4: u32) -> mat4x4<f32> {
  return mat4x4<f32>(
    dy[token(lane, t, 0u) * DY4 + column4], dy[token(lane, t, 1u) * DY4 + column4],
    dy[token(lane, t, 2u) * DY4 + column4], dy[token(lane, t, 3u) * DY4 + column4],
  );
}
fn x_of(drop: Dropper, lane: u32, t: u32, column4: u32) -> mat4x4<f32> {
  return mat4x4<f32>(
    x_at(drop, token(lane, t, 0u), column4), x_at(drop, token(lane, t, 1u), column4),
    x_at(drop, token(lane, t, 2u), column4), x_at(drop, token(lane, t, 3u), column4),
  );
}
fn x_at(drop: Dropper, t: u32, column4: u32) -> vec4<f32> {
  let value = x[t * (LD_X / 4u) + column4];
  if (DROPOUT != 0u) { return dropped(drop, value, t, column4); }
  return value;
}

// Eight rows of B and eight of its columns.
fn grad_b(group: u32, lane: u32, tile: u32, slice: u32) {
  let number = group * TILES + tile;
  let column = number % B_WIDE * 8u;
  let j = number / B_WIDE * 8u;
  var m = 0u;
  // Neighbours that share are in one segment.
  let shared_column = column / (8u * SHARE) * (8u * SHARE);
  while (m + 1u < SEGMENTS && SEG_COLUMN[m + 1u] <= shared_column) { m++; }
  let rank = SEG_RANK[m];
  let mine = j < rank;
  var acc: Sums;
  for (var t = 4u * slice; t < select(0u, frame.tokens, mine); t += 4u * SLICES) {
    // Past the rank stand other columns; those sums are dropped.
    add_products(&acc, dy_of(lane, t, column / 4u), dy_of(lane, t, column / 4u + 1u),
      four_of_s(lane, t, CHECKED_S[m] + j), four_of_s(lane, t, CHECKED_S[m] + j + 4u));
  }
  join(&acc, tile, slice);
  let rows = SEG_COLUMN[m + 1u] - SEG_COLUMN[m];
  let i = column - SEG_COLUMN[m];
  if (mine && i < rows && slice == 0u) { add(&acc, B_OFFSET + SEG_B[m], rank, i, j, rows); }
}

// Eight rows of A and eight of its columns.
fn grad_a(group: u32, lane: u32, tile: u32, slice: u32) {
  let number = group * TILES + tile;
  let k = number % A_WIDE * 8u;
  let j = number / A_WIDE * 8u;
  let mine = j < LD_Z;
  let drop = dropper();
  var acc: Sums;
  for (var t = 4u * slice; t < select(0u, frame.tokens, mine); t += 4u * SLICES) {
    add_products(&acc, four_of_dz(lane, t, j), four_of_dz(lane, t, j + 4u),
      x_of(drop, lane, t, k / 4u), x_of(drop, lane, t, k / 4u + 1u));
  }
  join(&acc, tile, slice);
  if (mine && k < LD_X && slice == 0u) { add(&acc, 0u, LD_X, j, k, LD_Z); }
}

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let tile = lane % TILES;
  let slice = lane / TILES;
  if (group.x < B_GROUPS) {
    grad_b(group.x, lane, tile, slice);
  } else if (group.x < B_GROUPS + A_GROUPS) {
    grad_a(group.x - B_GROUPS, lane, tile, slice);
  } else {
    reduce(group.x - B_GROUPS - A_GROUPS, lane);
  }
}
