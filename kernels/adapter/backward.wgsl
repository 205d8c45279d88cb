// The gradient on its way back through the adapters on one input: h = dy·b per module, which dz holds for a moment, then
// through gains and gates (gains/backward.wgsl). A workgroup takes ROWS tokens from one to the other.
@group(0) @binding(1) var<storage, read> dy: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> b: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> geometry: array<f32>;
@group(0) @binding(4) var<storage, read> gram: array<f32>;
@group(0) @binding(5) var<storage, read> inner: array<f32>;
@group(0) @binding(6) var<storage, read> routing: array<f32>;
@group(0) @binding(7) var<storage, read> stats: array<f32>;
@group(0) @binding(8) var<storage, read_write> dz: array<f32>;

fn put(row: u32, column: u32, value: vec4<f32>) {
  if (row >= frame.tokens || column >= LD_S) { return; }
  let at = row * LD_DZ + column;
  dz[at] = value.x;
  dz[at + 1u] = value.y;
  dz[at + 2u] = value.z;
  dz[at + 3u] = value.w;
}

fn output_gradient(lane: u32, first: u32) {
  for (var first_block = 0u; first_block < LD_S / 4u; first_block += ACROSS) {
    let column = 4u * (first_block + lane / SLICES);
    var acc = Sums();
    var m = 0u;
    while (m < SEGMENTS && (column < CHECKED_S[m] || column >= CHECKED_S[m] + SEG_RANK[m])) { m++; }
    if (m < SEGMENTS) {
      let rank4 = SEG_RANK[m] / 4u;
      let start = SEG_COLUMN[m] / 4u;
      let b0 = (SEG_B[m] + column - SEG_S[m]) / 4u;
      for (var n = start + lane % SLICES; n < SEG_COLUMN[m + 1u] / 4u; n += SLICES) {
        let at = b0 + 4u * (n - start) * rank4;
        let w = mat4x4<f32>(b[at], b[at + rank4], b[at + 2u * rank4], b[at + 3u * rank4]);
        let row = first * DY4 + n;
        acc[0] += w * dy[row];
        acc[1] += w * dy[row + DY4];
        acc[2] += w * dy[row + 2u * DY4];
        acc[3] += w * dy[row + 3u * DY4];
        if (ROWS > 4u) {
          acc[4] += w * dy[row + 4u * DY4];
          acc[5] += w * dy[row + 5u * DY4];
          acc[6] += w * dy[row + 6u * DY4];
          acc[7] += w * dy[row + 7u * DY4];
          acc[8] += w * dy[row + 8u * DY4];
          acc[9] += w * dy[row + 9u * DY4];
          acc[10] += w * dy[row + 10u * DY4];
          acc[11] += w * dy[row + 11u * DY4];
          acc[12] += w * dy[row + 12u * DY4];
          acc[13] += w * dy[row + 13u * DY4];
          acc[14] += w * dy[row + 14u * DY4];
          acc[15] += w * dy[row + 15u * DY4];
        }
      }
    }
    hand_over_all(lane, first, first_block, &acc);
  }
}

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let first = group.x * ROWS;
  if (first >= frame.tokens) { return; }
  output_gradient(lane, first);
  storageBarrier();
  let here = min(frame.tokens - first, ROWS);
  for (var i = lane; i < here * ADAPTERS; i += LANES) { gains_backward(first + i % here, i / here); }
}
