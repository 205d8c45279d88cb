// loss = lse − logit[label] in nats for a chunk of target rows and, in the same place, the gradient of the mean loss:
// logits become (softmax − onehot)·frame.loss_scale. Padding columns become zeros. One workgroup per row; the maximum and
// the sum are found in one pass (arXiv 1805.02867), p = e^(x−max)/sum keeps full relative accuracy for large logits.
const VOCAB: u32 = 256u; // @param
const LD: u32 = 256u; // @param
const EMIT_GRADIENT: bool = true; // @param
const QUADS = LD / 4u;
// Four quads a lane, as far as that goes.
const LANES = clamp((LD / 64u + 15u) / 16u * 16u, 16u, 128u);
// Stands in for −∞, whose arithmetic WGSL leaves open: far below any logit, yet differences stay finite.
const LOWEST = -1e30;

@group(0) @binding(2) var<storage, read> labels: array<u32>;
@group(0) @binding(3) var<storage, read_write> logits: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> loss: array<f32>;

// (maximum, Σ e^(x−maximum)) of what a lane, then of what every sixteenth lane has seen.
var<workgroup> lane_sums: array<vec2<f32>, LANES>;
var<workgroup> group_sums: array<vec2<f32>, 16>;

fn merged(a: vec2<f32>, b: vec2<f32>) -> vec2<f32> {
  let top = max(a.x, b.x);
  return vec2<f32>(top, a.y * exp(a.x - top) + b.y * exp(b.x - top));
}

fn columns(c: u32) -> vec4<u32> { return vec4<u32>(4u * c) + vec4<u32>(0u, 1u, 2u, 3u); }

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let row = group.x;
  let first = min(frame.targets, site.row_start);
  if (row >= min(frame.targets - first, site.row_limit)) { return; }
  let start = row * QUADS;

  var highest = LOWEST;
  var sums = vec4<f32>();
  for (var c = lane; 4u * c < VOCAB; c += LANES) {
    let x = select(vec4<f32>(LOWEST), logits[start + c], columns(c) < vec4<u32>(VOCAB));
    let top = max(highest, max(max(x.x, x.y), max(x.z, x.w)));
    sums = sums * exp(highest - top) + exp(x - top);
    highest = top;
  }
  lane_sums[lane] = vec2<f32>(highest, (sums.x + sums.y) + (sums.z + sums.w));
  workgroupBarrier();
  if (lane < 16u) {
    var seen = lane_sums[lane];
    for (var i = lane + 16u; i < LANES; i += 16u) { seen = merged(seen, lane_sums[i]); }
    group_sums[lane] = seen;
  }
  workgroupBarrier();
  var row_sums = group_sums[0];
  for (var i = 1u; i < 16u; i++) { row_sums = merged(row_sums, group_sums[i]); }
  let top = row_sums.x;
  let total = row_sums.y;

  // The lane that owns the label's column reads its logit before overwriting it.
  let label = labels[first + row];
  if (label / 4u % LANES == lane) { loss[first + row] = log(total) + (top - logits[start + label / 4u][label % 4u]); }
  if (EMIT_GRADIENT) {
    for (var c = lane; c < QUADS; c += LANES) {
      let p = exp(min(logits[start + c] - top, vec4<f32>())) / total;
      let d = (p - select(vec4<f32>(), vec4<f32>(1.0), columns(c) == vec4<u32>(label))) * frame.loss_scale;
      logits[start + c] = select(vec4<f32>(), d, columns(c) < vec4<u32>(VOCAB));
    }
  }
}
