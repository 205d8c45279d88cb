// G_e = B_eᵀB_e, rank × rank, for every expert of the plan: ‖B z‖² = zᵀG z spares every vector of length d_out
// (MoSLoRA, arXiv 2602.14490, in rank space). One workgroup per expert: four entries of a row of G per lane, lanes beyond
// that over slices of B's rows, summed in a fixed order. Table, 8 words per expert: float offset of its B block in
// params, leading dimension, first column, rank, rows, float offset of G in gram, 0, 0.
const EXPERTS: u32 = 1u; // @param

@group(0) @binding(1) var<storage, read> params: array<f32>;
@group(0) @binding(2) var<storage, read> table: array<u32>;
@group(0) @binding(3) var<storage, read_write> gram: array<f32>;

const LANES = 256u;
var<workgroup> partial: array<vec4<f32>, LANES>;
var<workgroup> shared_rank: u32;

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  if (group.x >= EXPERTS) { return; }
  let entry = 8u * group.x;
  if (lane == 0u) { shared_rank = table[entry + 3u]; }
  let rank = workgroupUniformLoad(&shared_rank);  // loop bounds around barriers must be provably uniform
  let b = table[entry] + table[entry + 2u];
  let ld = table[entry + 1u];
  let rows = table[entry + 4u];
  let out = table[entry + 5u];

  let blocks = (rank + 3u) / 4u;
  let items = rank * blocks;
  let together = clamp(items, 1u, LANES);
  let slices = LANES / together;
  let slice = lane / together;
  for (var first = 0u; first < items; first += LANES) {
    let item = first + lane % together;
    let i = item / blocks;
    let j = 4u * (item % blocks);
    let busy = item < items && slice < slices;
    var sum = vec4<f32>();
    if (busy) {
      for (var r = slice; r < rows; r += slices) {
        let row = b + r * ld;
        // Past the rank stand other columns; those sums are dropped below.
        sum += params[row + i] * vec4<f32>(params[row + j], params[row + j + 1u], params[row + j + 2u], params[row + j + 3u]);
      }
    }
    partial[lane] = sum;
    workgroupBarrier();
    if (busy && slice == 0u) {
      for (var k = 1u; k < slices; k++) { sum += partial[lane + k * together]; }
      for (var c = 0u; c < min(4u, rank - j); c++) { gram[out + i * rank + j + c] = sum[c]; }
    }
    workgroupBarrier();
  }
}
