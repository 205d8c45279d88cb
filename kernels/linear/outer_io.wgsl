// Bindings, parameters and parts that both variants of linear.outer share:
//   out_m[i, j] += Σ_t a[t, SEG_COLUMN[m] + i]·drop(b)[t, SEG_S[m] + j]
// the gradient of B (a = dy, b = s) and, with one segment, of A (a = dz, b = x, dropped as in the forward pass). The
// order of the sum is fixed and nothing is atomic: the same result every time.
const LD_A: u32 = 64u; // @param
const LD_B: u32 = 16u; // @param
const SEGMENTS: u32 = 1u; // @param length of SEG_S
const SEG_COLUMN: array<u32, 2> = array<u32, 2>(0u, 64u); // @param first column in a, multiples of 8; then their end
const SEG_S: array<u32, 1> = array<u32, 1>(0u); // @param first column in b, multiple of 4
const SEG_RANK: array<u32, 1> = array<u32, 1>(16u); // @param columns of out_m, multiple of 4
const SEG_B: array<u32, 1> = array<u32, 1>(0u); // @param first float in out, multiple of 4

@group(0) @binding(2) var<storage, read> a: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> b: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> out: array<vec4<f32>>;

// Does not compile when SEGMENTS is wrong.
const CHECKED_S: array<u32, SEGMENTS> = SEG_S;

fn b_at(d: Dropper, t: u32, column4: u32) -> vec4<f32> {
  var value = b[t * (LD_B / 4u) + column4];
  if (DROPOUT != 0u) { value = dropped(d, value, t, column4); }
  return value;
}

alias Sums = array<vec4<f32>, 16>;

// Adds a[t, column..+7] ⊗ drop(b)[t, SEG_S + j..+7]; at_a and at_b are those columns in vec4s.
fn add_product(acc: ptr<function, Sums>, d: Dropper, t: u32, at_a: u32, at_b: u32) {
  let a0 = a[t * (LD_A / 4u) + at_a];
  let a1 = a[t * (LD_A / 4u) + at_a + 1u];
  let b0 = b_at(d, t, at_b);
  let b1 = b_at(d, t, at_b + 1u);
  (*acc)[0] += a0.x * b0; (*acc)[1] += a0.x * b1;
  (*acc)[2] += a0.y * b0; (*acc)[3] += a0.y * b1;
  (*acc)[4] += a0.z * b0; (*acc)[5] += a0.z * b1;
  (*acc)[6] += a0.w * b0; (*acc)[7] += a0.w * b1;
  (*acc)[8] += a1.x * b0; (*acc)[9] += a1.x * b1;
  (*acc)[10] += a1.y * b0; (*acc)[11] += a1.y * b1;
  (*acc)[12] += a1.z * b0; (*acc)[13] += a1.z * b1;
  (*acc)[14] += a1.w * b0; (*acc)[15] += a1.w * b1;
}

// Adds to row `i` of out_m, columns j and up.
fn add_row(m: u32, i: u32, j: u32, low: vec4<f32>, high: vec4<f32>) {
  let rank = SEG_RANK[m];
  if (i >= SEG_COLUMN[m + 1u] - SEG_COLUMN[m]) { return; }
  let at = (SEG_B[m] + i * rank + j) / 4u;
  out[at] += low;
  if (j + 4u < rank) { out[at + 1u] += high; }
}
