// What the routing of one batch looks like, per adapter; its f_e feed the balance loss (aux·E·Σ_e f_e·mean P_e).
// One workgroup per adapter; the dispatch is exactly that large. Table, 8 words per adapter: float offset of its site's
// routing region, LD_ROUTE, ROUTE_COLUMN, experts E ≤ 16, TOP_K, 0, 0, 0. Record of a token: P ×E, gate ×E, guard ×E,
// slot scale, logsumexp of the logits.
//
// stats, 64 floats per adapter:   [0, E) share of the kept (token, slot) pairs   [E, 2E) mean P   [2E, 3E) mean gate
//   [3E] mean entropy of P in nats   [3E+1] mean logsumexp²   [3E+2] share of kept pairs where a guard acts   zeros
@group(0) @binding(1) var<storage, read> routing: array<f32>;
@group(0) @binding(2) var<storage, read> table: array<u32>;
@group(0) @binding(3) var<storage, read_write> stats: array<f32>;

const BLOCK = 64u;
const LANES = 64u;
var<workgroup> partial: array<f32, LANES>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let entry = 8u * group.x;
  let base = table[entry] + table[entry + 2u];
  let ld = table[entry + 1u];
  let experts = table[entry + 3u];
  // Lane (slice, quantity): each sums one number of the block over its slice of the tokens.
  let quantities = 3u * experts + 3u;
  let slices = LANES / quantities;
  let quantity = lane % quantities;
  let slice = lane / quantities;

  var sum = 0.0;
  if (slice < slices) {
    for (var t = slice; t < frame.tokens; t += slices) { sum += value_of(quantity, experts, base + t * ld); }
  }
  partial[lane] = sum;
  workgroupBarrier();
  if (lane < BLOCK) {
    var total = 0.0;
    if (lane < quantities) {
      for (var k = 0u; k < slices; k++) { total += partial[lane + k * quantities]; }
    }
    let by_pair = lane < experts || lane == 3u * experts + 2u;
    let tokens = f32(max(frame.tokens, 1u));
    stats[group.x * BLOCK + lane] = total / select(tokens, tokens * f32(table[entry + 4u]), by_pair);
  }
}

fn value_of(quantity: u32, experts: u32, record: u32) -> f32 {
  let gates = record + experts;
  if (quantity < experts) { return select(0.0, 1.0, routing[gates + quantity] > 0.0); }
  if (quantity < 3u * experts) { return routing[record + quantity - experts]; }
  if (quantity == 3u * experts + 1u) {
    let size = routing[record + 3u * experts + 1u];
    return min(size * size, 1e30);
  }
  var sum = 0.0;
  for (var e = 0u; e < experts; e++) {
    let p = routing[record + e];
    if (quantity == 3u * experts) {
      if (p > 0.0) { sum -= p * log(p); }
    } else if (routing[gates + e] > 0.0) {
      sum += routing[record + 2u * experts + e];
    }
  }
  return sum;
}
