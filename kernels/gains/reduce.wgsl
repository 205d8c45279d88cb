// Sums over tokens of what gains_backward wrote per token, in an order that never changes; one workgroup of LANES per
// result:
//   e             C_e = Σ_t dn z zᵀ, overwriting gram_grad (then dB += 2BC, gram.backward); dθ and dlogσ add up
//   EXPERTS + i   gradient of adapter i's router on rank space, Σ_t dℓ zᵀ, adds up
var<workgroup> partial: array<vec4<f32>, LANES>;

fn reduce(e: u32, lane: u32) {
  if (e < EXPERTS) {
    if (SPACE[e] == 0u) {
      let size = RANK[e] * RANK[e];
      for (var i = lane; i < size; i += LANES) { gram_grad[GRAM_OFFSET[e] + i] = 0.0; }
      return;
    }
  } else if (e >= EXPERTS + ADAPTERS || ON_RANK[e - EXPERTS] == 0u) {
    return;
  }
  outer_sums(lane, e);
  if (e < EXPERTS && (PARAMETERS[e] != 0u || LEARN_SCALE[e] != 0u)) { parameter_sums(lane, e); }
}

// out[i, j] = Σ_t weight_i(t)·z[t, j]: four columns j of one row i per item; an item per lane, and lanes beyond the items
// over slices of the tokens. C: weight_i = dn·z[t, i], columns of the one expert, into gram_grad. Router on rank space:
// weight_i = dℓ_i, the columns of all experts of the adapter, onto grads.
fn outer_sums(lane: u32, result: u32) {
  let router = result >= EXPERTS;
  var first_expert = result;
  var end_expert = result + 1u;
  var rows = 0u;
  var out = 0u;
  var weight_column = DN_COLUMN + result;
  if (router) {
    first_expert = EXPERT_START[result - EXPERTS];
    end_expert = EXPERT_START[result - EXPERTS + 1u];
    rows = end_expert - first_expert;
    out = ROUTER_OFFSET[result - EXPERTS];
    weight_column = DLOGIT_COLUMN + first_expert;
  } else {
    rows = RANK[result];
    out = GRAM_OFFSET[result];
  }
  var blocks = 0u;
  var stride = 0u;
  for (var f = first_expert; f < end_expert; f++) {
    blocks += (RANK[f] + 3u) / 4u;
    stride += RANK[f];
  }

  let items = rows * blocks;
  let together = min(items, LANES);
  let slices = LANES / together;
  let slice = lane / together;
  var at = 0u;
  var width = 0u;
  var sum = vec4<f32>();
  for (var item = lane % together; item < items && slice < slices; item += together) {
    let i = item / blocks;
    var block = item % blocks;
    var f = first_expert;
    at = out + i * stride;
    while (block >= (RANK[f] + 3u) / 4u) {
      block -= (RANK[f] + 3u) / 4u;
      at += RANK[f];
      f++;
    }
    at += 4u * block;
    width = min(4u, RANK[f] - 4u * block);
    let column = Z_COLUMN[f] + 4u * block;
    let own = Z_COLUMN[first_expert] + i;
    let by = select(weight_column, weight_column + i, router);
    sum = vec4<f32>();
    for (var t = slice; t < frame.tokens; t += slices) {
      var weight = dz_at(t * LD_DZ + by);
      if (!router) { weight *= inner_at(t * LD_INNER + own); }
      let v = t * LD_INNER + column;
      sum += weight * vec4<f32>(inner_at(v), inner_at(v + 1u), inner_at(v + 2u), inner_at(v + 3u));  // past the rank: dropped when written
    }
    if (slices == 1u) { write(router, at, width, sum); }
  }
  // With several slices each lane had one item at most.
  partial[lane] = sum;
  workgroupBarrier();
  if (slices > 1u && slice == 0u) {
    for (var k = 1u; k < slices; k++) { sum += partial[lane + k * together]; }
    write(router, at, width, sum);
  }
  workgroupBarrier();
}

fn write(router: bool, at: u32, width: u32, values: vec4<f32>) {
  for (var c = 0u; c < width; c++) {
    if (router) { grads[GEOMETRY_OFFSET + at + c] += values[c]; } else { gram_grad[at + c] = values[c]; }
  }
}

fn parameter_sums(lane: u32, e: u32) {
  var by_stored = vec4<f32>();
  var by_log_sigma = 0.0;
  for (var t = lane; t < frame.tokens; t += LANES) {
    let row = t * LD_DZ;
    for (var i = 0u; i < PARAMETERS[e]; i++) { by_stored[i] += dz_at(row + DTHETA_COLUMN + e * MAX_PARAMETERS + i); }
    by_log_sigma += dz_at(row + DLOG_SIGMA_COLUMN + e);
  }
  partial[lane] = by_stored;
  workgroupBarrier();
  if (lane == 0u) {
    for (var k = 1u; k < LANES; k++) { by_stored += partial[k]; }
    for (var i = 0u; i < PARAMETERS[e]; i++) { grads[GEOMETRY_OFFSET + PARAM_OFFSET[e] + PARAMETER_STRIDE * i] += by_stored[i]; }
  }
  if (LEARN_SCALE[e] == 0u) { return; }
  workgroupBarrier();
  partial[lane].x = by_log_sigma;
  workgroupBarrier();
  if (lane == 0u) {
    for (var k = 1u; k < LANES; k++) { by_log_sigma += partial[k].x; }
    grads[GEOMETRY_OFFSET + log_sigma_at(e)] += by_log_sigma;
  }
}
