// First index of the largest of VOCAB columns, one workgroup per row. Lanes take columns round robin, so a lane's first
// largest is kept by a strict comparison, and ties between lanes go to the lower index. NaN is never the largest.
const VOCAB: u32 = 256u; // @param
const LD: u32 = 256u; // @param
// Four quads a lane, as far as that goes.
const LANES = clamp((LD / 64u + 15u) / 16u * 16u, 16u, 128u);

@group(0) @binding(1) var<storage, read> logits: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> out: array<u32>;

var<workgroup> lane_value: array<f32, LANES>;
var<workgroup> lane_index: array<u32, LANES>;

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let row = group.x;
  if (row >= frame.targets) { return; }
  var highest = -3.4e38;
  var index = 0u;
  for (var c = lane; 4u * c < VOCAB; c += LANES) {
    let x = logits[row * (LD / 4u) + c];
    for (var i = 0u; i < 4u; i++) {
      if (x[i] > highest && 4u * c + i < VOCAB) {
        highest = x[i];
        index = 4u * c + i;
      }
    }
  }
  lane_value[lane] = highest;
  lane_index[lane] = index;
  workgroupBarrier();
  if (lane == 0u) {
    for (var i = 1u; i < LANES; i++) {
      let value = lane_value[i];
      if (value > highest || (value == highest && lane_index[i] < index)) {
        highest = value;
        index = lane_index[i];
      }
    }
    out[row] = index;
  }
}
