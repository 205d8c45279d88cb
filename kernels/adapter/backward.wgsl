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
  if (row >= frame.tokens) { return; }
  let at = row * LD_DZ + column;
  dz[at] = value.x;
  dz[at + 1u] = value.y;
  dz[at + 2u] = value.z;
  dz[at + 3u] = value.w;
}

fn output_gradient(lane: u32, first: u32) {
  for (var m = 0u; m < SEGMENTS; m++) {
    let rank4 = SEG_RANK[m] / 4u;
    let start = SEG_COLUMN[m] / 4u;
    for (var first_block = 0u; first_block < rank4; first_block += ACROSS) {
      let b0 = SEG_B[m] / 4u + min(first_block + lane / SLICES, rank4 - 1u);
      var acc = Sums();
      for (var n = start + lane % SLICES; n < SEG_COLUMN[m + 1u] / 4u; n += SLICES) {
        let at = b0 + 4u * (n - start) * rank4;
        let w = transpose(mat4x4<f32>(b[at], b[at + rank4], b[at + 2u * rank4], b[at + 3u * rank4]));
        for (var i = 0u; i < OWN_ROWS; i++) { // @unroll
          add_row(&acc, i, dy[own_row(first, lane, i) * DY4 + n], w);
        }
      }
      hand_over_all(lane, first, CHECKED_S[m] + 4u * first_block, CHECKED_S[m] + SEG_RANK[m], &acc);
    }
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
