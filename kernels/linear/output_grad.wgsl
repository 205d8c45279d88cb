// h[t, SEG_S[m] + r] = Σ_{n in segment m} dy[t, n]·b_m[n − SEG_COLUMN[m], r]: the gradient of s. Columns of h in no segment
// become zeros. Every invocation computes 16 rows × 4 columns, which never straddle a segment.
const LD_DY: u32 = 64u; // @param
const LD_S: u32 = 16u; // @param
const SEGMENTS: u32 = 1u; // @param length of SEG_S
const SEG_COLUMN: array<u32, 2> = array<u32, 2>(0u, 64u); // @param first column in dy, multiples of 8; then their end
const SEG_S: array<u32, 1> = array<u32, 1>(0u); // @param first column in h, multiple of 4
const SEG_RANK: array<u32, 1> = array<u32, 1>(16u); // @param multiple of 4
const SEG_B: array<u32, 1> = array<u32, 1>(0u); // @param first float in b, multiple of 4

@group(0) @binding(1) var<storage, read> dy: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> b: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> h: array<vec4<f32>>;

const DY4: u32 = LD_DY / 4u;
// Does not compile when SEGMENTS is wrong.
const CHECKED_S: array<u32, SEGMENTS> = SEG_S;

@compute @workgroup_size(4, 8)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  let row = id.y * 16u;
  let column = id.x * 4u;
  if (row >= frame.tokens || column >= LD_S) { return; }
  var m = 0u;
  while (m < SEGMENTS && (column < CHECKED_S[m] || column >= CHECKED_S[m] + SEG_RANK[m])) { m++; }
  var acc: array<vec4<f32>, 16>;
  if (m < SEGMENTS) {
    let rank4 = SEG_RANK[m] / 4u;
    let start = SEG_COLUMN[m] / 4u;
    let b0 = (SEG_B[m] + column - SEG_S[m]) / 4u;
    for (var n = start; n < SEG_COLUMN[m + 1u] / 4u; n++) {
      let at = b0 + 4u * (n - start) * rank4;
      let bm = mat4x4<f32>(b[at], b[at + rank4], b[at + 2u * rank4], b[at + 3u * rank4]);
      let from_dy = row * DY4 + n;
      acc[0] += bm * dy[from_dy + 0u * DY4];
      acc[1] += bm * dy[from_dy + 1u * DY4];
      acc[2] += bm * dy[from_dy + 2u * DY4];
      acc[3] += bm * dy[from_dy + 3u * DY4];
      acc[4] += bm * dy[from_dy + 4u * DY4];
      acc[5] += bm * dy[from_dy + 5u * DY4];
      acc[6] += bm * dy[from_dy + 6u * DY4];
      acc[7] += bm * dy[from_dy + 7u * DY4];
      acc[8] += bm * dy[from_dy + 8u * DY4];
      acc[9] += bm * dy[from_dy + 9u * DY4];
      acc[10] += bm * dy[from_dy + 10u * DY4];
      acc[11] += bm * dy[from_dy + 11u * DY4];
      acc[12] += bm * dy[from_dy + 12u * DY4];
      acc[13] += bm * dy[from_dy + 13u * DY4];
      acc[14] += bm * dy[from_dy + 14u * DY4];
      acc[15] += bm * dy[from_dy + 15u * DY4];
    }
  }
  for (var i = 0u; i < min(frame.tokens - row, 16u); i++) { h[(row + i) * (LD_S / 4u) + column / 4u] = acc[i]; }
}
