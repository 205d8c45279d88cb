// Gates and gains: s_e = w_e·z_e with w_e = (alpha/rank)·g_e·a_e·b_e·slot_scale, a = L(q), b = D(m) (MoSLoRA, arXiv
// 2602.14490, in rank space), of one token and adapter. What the backward pass and the statistics need of the
// routing is recorded; an expert that is not kept is not evaluated: its s and its guard are 0.
var<private> logit: array<f32, MAX_EXPERTS>;
var<private> probability: array<f32, MAX_EXPERTS>;
var<private> kept: array<bool, MAX_EXPERTS>;

fn gains_forward(token: u32, adapter: u32) {
  let start = EXPERT_START[adapter];
  let count = EXPERT_START[adapter + 1u] - start;
  let record = token * LD_ROUTE + ROUTE_COLUMN[adapter];
  let slot = slot_scale[SLOT[adapter] * MAX_ROWS + row_of[token]];

  read_logits(adapter, token);
  var largest = logit[0];
  for (var e = 1u; e < count; e++) { largest = max(largest, logit[e]); }
  var total = 0.0;
  for (var e = 0u; e < count; e++) {
    probability[e] = exp(max(logit[e] - largest, -80.0));  // never 0, so that a kept gate never is
    total += probability[e];
  }
  var kept_total = 0.0;
  let top = TOP_K[adapter];
  for (var e = 0u; e < count; e++) {
    probability[e] /= total;
    kept[e] = better_than(e, count) < top;
    if (kept[e]) { kept_total += probability[e]; }
  }
  routing[record + 3u * count] = slot;
  routing[record + 3u * count + 1u] = largest + log(total);

  let renorm = RENORM[adapter] != 0u;
  for (var k = 0u; k < count; k++) {
    let e = start + k;
    let rank = RANK[e];
    let end = token * LD_INNER + S_COLUMN + next_column(e);
    var at = token * LD_INNER + S_COLUMN + Z_COLUMN[e];
    var gate = 0.0;
    var guarded = false;
    if (kept[k]) {
      gate = select(probability[k], probability[k] / kept_total, renorm);
      let expert = expert_at(e, token);
      let weight = SCALE[e] * gate * slot * (expert.lift.gain * expert.drop.gain);
      guarded = expert.lift.guarded || expert.drop.guarded;
      for (var j = 0u; j < rank; j++) { inner[at + j] = weight * z_of[j / 4u][j % 4u]; }
      at += rank;
    }
    for (; at < end; at++) { inner[at] = 0.0; }  // an expert not kept, and padding
    routing[record + k] = probability[k];
    routing[record + count + k] = gate;
    routing[record + 2u * count + k] = select(0.0, 1.0, guarded);
  }
  var next_record = LD_ROUTE;
  if (adapter + 1u < ADAPTERS) { next_record = ROUTE_COLUMN[adapter + 1u]; }
  for (var c = ROUTE_COLUMN[adapter] + 3u * count + 2u; c < next_record; c++) { routing[token * LD_ROUTE + c] = 0.0; }
  if (adapter == 0u) {
    for (var c = 0u; c < Z_COLUMN[0]; c++) { inner[token * LD_INNER + S_COLUMN + c] = 0.0; }
    for (var c = 0u; c < ROUTE_COLUMN[0]; c++) { routing[token * LD_ROUTE + c] = 0.0; }
  }
}

// From x through z's router columns, or from the stacked z; plain zeros where the adapter has no router.
fn read_logits(adapter: u32, token: u32) {
  let start = EXPERT_START[adapter];
  let end = EXPERT_START[adapter + 1u];
  let on_rank = ON_RANK[adapter] != 0u;
  let on_input = !on_rank && HAS_ROUTER[adapter] != 0u;
  let first_logit = token * LD_INNER + ROUTER_COLUMN[adapter];
  let noise = NOISE[adapter];
  var at = ROUTER_OFFSET[adapter];
  for (var k = 0u; k < end - start; k++) {
    var sum = 0.0;
    if (on_input) { sum = inner[first_logit + k]; }
    if (on_rank) {
      for (var e = start; e < end; e++) {
        let rank = RANK[e];
        let first = token * LD_INNER + Z_COLUMN[e];
        for (var j = 0u; j < rank; j++) { sum += geometry[at + j] * inner[first + j]; }
        at += rank;
      }
    }
    if (noise > 0.0 && frame.training == 1u) {
      sum += noise * normal(random4(site.index, token, adapter * 16u + k).xy);
    }
    logit[k] = sum;
  }
}

// How many experts come before e: kept are the TOP_K largest logits, ties go to the lowest index.
fn better_than(e: u32, count: u32) -> u32 {
  let own = logit[e];
  var better = 0u;
  for (var i = 0u; i < count; i++) {
    if (logit[i] > own || (logit[i] == own && i < e)) { better++; }
  }
  return better;
}

// N(0, 1) by Box and Muller, from the 24 high bits of each word. The angle stays in [−π, π), where WGSL bounds cos.
fn normal(words: vec2<u32>) -> f32 {
  let uniform01 = (vec2<f32>(words >> vec2<u32>(8u)) + vec2<f32>(1.0, 0.0)) * 0x1p-24f;
  return sqrt(max(-2.0 * log(uniform01.x), 0.0)) * cos(6.2831853 * (uniform01.y - 0.5));
}
