// out_m[i, j] += Σ_t a[t, SEG_COLUMN[m] + i]·drop(b)[t, SEG_S[m] + j]: the gradient of B (a = dy, b = s) and, with one
// segment, of A (a = dz, b = x, dropped as in the forward pass). Every invocation sums 8 × 8 elements over all rows in
// their order: no atomics, the same result every time.
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

@compute @workgroup_size(4, 4)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  let column = id.x * 8u;
  let j = id.y * 8u;
  if (column >= SEG_COLUMN[SEGMENTS]) { return; }
  var m = 0u;
  while (SEG_COLUMN[m + 1u] <= column) { m++; }
  let rank = SEG_RANK[m];
  if (j >= rank) { return; }

  let drop = dropper();
  var acc: array<vec4<f32>, 16>;
  for (var t = 0u; t < frame.tokens; t++) {
    let at = t * (LD_A / 4u) + column / 4u;
    let a0 = a[at];
    let a1 = a[at + 1u];
    let b0 = b_at(drop, t, (CHECKED_S[m] + j) / 4u);
    let b1 = b_at(drop, t, (CHECKED_S[m] + j) / 4u + 1u);
    acc[0] += a0.x * b0; acc[1] += a0.x * b1;
    acc[2] += a0.y * b0; acc[3] += a0.y * b1;
    acc[4] += a0.z * b0; acc[5] += a0.z * b1;
    acc[6] += a0.w * b0; acc[7] += a0.w * b1;
    acc[8] += a1.x * b0; acc[9] += a1.x * b1;
    acc[10] += a1.y * b0; acc[11] += a1.y * b1;
    acc[12] += a1.z * b0; acc[13] += a1.z * b1;
    acc[14] += a1.w * b0; acc[15] += a1.w * b1;
  }

  let rows = min(SEG_COLUMN[m + 1u] - column, 8u);
  for (var e = 0u; e < 2u * rows; e++) {
    if (j + 4u * (e % 2u) < rank) {
      let to = (SEG_B[m] + (column - SEG_COLUMN[m] + e / 2u) * rank + j) / 4u + e % 2u;
      out[to] += acc[e];
    }
  }
}
