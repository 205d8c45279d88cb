// linear.output_grad for processors: every invocation computes 16 rows × 4 columns, which never straddle a segment.

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
      let at_dy = row * DY4 + n;
      acc[0] += bm * dy[at_dy + 0u * DY4];
      acc[1] += bm * dy[at_dy + 1u * DY4];
      acc[2] += bm * dy[at_dy + 2u * DY4];
      acc[3] += bm * dy[at_dy + 3u * DY4];
      acc[4] += bm * dy[at_dy + 4u * DY4];
      acc[5] += bm * dy[at_dy + 5u * DY4];
      acc[6] += bm * dy[at_dy + 6u * DY4];
      acc[7] += bm * dy[at_dy + 7u * DY4];
      acc[8] += bm * dy[at_dy + 8u * DY4];
      acc[9] += bm * dy[at_dy + 9u * DY4];
      acc[10] += bm * dy[at_dy + 10u * DY4];
      acc[11] += bm * dy[at_dy + 11u * DY4];
      acc[12] += bm * dy[at_dy + 12u * DY4];
      acc[13] += bm * dy[at_dy + 13u * DY4];
      acc[14] += bm * dy[at_dy + 14u * DY4];
      acc[15] += bm * dy[at_dy + 15u * DY4];
    }
  }
  for (var i = 0u; i < min(frame.tokens - row, 16u); i++) { h[(row + i) * S4 + column / 4u] = acc[i]; }
}
