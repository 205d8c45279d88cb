// G_e = B_eᵀB_e, rank × rank, for every expert of the plan: ‖B z‖² = zᵀG z spares every vector of length d_out
// (MoSLoRA, arXiv 2602.14490, in rank space). One workgroup per expert: four entries of a row of G per lane, lanes beyond
// that over slices of B's rows, summed in a fixed order. Table, 8 words per expert: float offset of its B block in
// params, leading dimension, first column, rank, rows, float offset of G in gram, 0, 0.
const EXPERTS: u32 = 1u; // @param

@group(0) @binding(1) var<storage, read> params: array<f32>;
@group(0) @binding(2) var<storage, read> table: array<u32>;
@group(0) @binding(3) var<storage, read_write> gram: array<f32>;

const LANES = 64u;
var<workgroup> partial: array<vec4<f32>, LANES>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  if (group.x >= EXPERTS) { return; }
  let entry = 8u * group.x;
  let rank = table[entry + 3u];
  let b = table[entry] + table[entry + 2u];
  let ld = table[entry + 1u];
  let rows = table[entry + 4u];
  let out = table[entry + 5u];

  let blocks = (rank + 3u) / 4u;
  let items = rank * blocks;
  let together = clamp(items, 1u, LANES);
  let slices = LANES / together;
  let slice = lane / together;
  var at = 0u;
  var width = 0u;
  var sum = vec4<f32>();
  for (var item = lane % together; item < items && slice < slices; item += together) {
    let i = item / blocks;
    let j = 4u * (item % blocks);
    at = out + i * rank + j;
    width = min(4u, rank - j);
    sum = vec4<f32>();
    for (var r = slice; r < rows; r += slices) {
      let row = b + r * ld;
      // Past the rank stand other columns; those sums are dropped below.
      sum += params[row + i] * vec4<f32>(params[row + j], params[row + j + 1u], params[row + j + 2u], params[row + j + 3u]);
    }
    if (slices == 1u) { write(at, width, sum); }
  }
  // With several slices each lane had one item at most.
  partial[lane] = sum;
  workgroupBarrier();
  if (slices > 1u && slice == 0u) {
    for (var k = 1u; k < slices; k++) { sum += partial[lane + k * together]; }
    write(at, width, sum);
  }
}

fn write(at: u32, width: u32, values: vec4<f32>) {
  for (var c = 0u; c < width; c++) { gram[at + c] = values[c]; }
}
