// Backward of gains_forward in rank space (MoSLoRA, arXiv 2602.14490), of one token and adapter. With h = Bᵀdy, which
// stands in dz where dz_e will, p = h·z and the slot scale as one more factor of alpha/rank, per kept expert:
//
//   dg = (alpha/rank)·a·b·p          db = (alpha/rank)·g·a·p          dm = db·D'(m)          dn = dm·a²/σ²
//   da = (alpha/rank)·g·b·p + 2·dm·a·n/σ² = (alpha/rank)·g·p·(b + 2mD'(m)), since m = a²n/σ²
//   dz = w·h + 2·dn·G z              c = 2·da·L'(q)/σ²                dθ = da·∂L/∂θ + db·∂D/∂θ
//   d log σ = −2·(da·L'(q)·q + dm·m)
//
// and the router: dP = (dg − Σ dg∘g)/Z over the kept (renorm) or dg (softmax), + aux·E·f/T; dℓ = P∘(dP − Σ dP∘P) + the
// gradient of zloss·mean(lse²). Writes every column of dz; those that belong to nobody are written by adapter 0.
const STATS_BLOCK = 64u;

var<private> gate_by: array<f32, MAX_EXPERTS>;   // dg
var<private> logit_by: array<f32, MAX_EXPERTS>;  // dP, then dℓ

fn gains_backward(token: u32, adapter: u32) {
  let start = EXPERT_START[adapter];
  let count = EXPERT_START[adapter + 1u] - start;
  let record = token * LD_ROUTE + ROUTE_COLUMN[adapter];
  let row = token * LD_DZ;
  let slot = routing[record + 3u * count];

  var radial_sum = 0.0;
  for (var k = 0u; k < count; k++) {
    let e = start + k;
    let gate = routing[record + count + k];
    var at = row + Z_COLUMN[e];
    gate_by[k] = 0.0;
    if (gate > 0.0) {
      radial_sum += expert_backward(k, e, token, gate, slot);
      at += RANK[e];
    } else {
      dz[row + DN_COLUMN + e] = 0.0;
      for (var i = 0u; i < MAX_PARAMETERS; i++) { dz[row + DTHETA_COLUMN + e * MAX_PARAMETERS + i] = 0.0; }
      dz[row + DLOG_SIGMA_COLUMN + e] = 0.0;
    }
    dz[row + DLOGIT_COLUMN + e] = 0.0;
    let end = row + next_column(e);
    for (; at < end; at++) { dz[at] = 0.0; }  // an expert not kept, and padding
  }
  dz[row + EXTRA_COLUMN + adapter] = radial_sum;
  if (ON_RANK[adapter] != 0u || HAS_ROUTER[adapter] != 0u) {
    router_backward(adapter, count, record);
    if (ON_RANK[adapter] != 0u) {
      rank_router_backward(adapter, row);
    } else {
      for (var k = 0u; k < count; k++) { dz[row + ROUTER_COLUMN[adapter] + k] = logit_by[k]; }
    }
  }
  if (adapter == 0u) { write_padding(row); }
}

// Writes the expert's share of dz, keeps dg, returns c.
fn expert_backward(k: u32, e: u32, token: u32, gate: f32, slot: f32) -> f32 {
  let row = token * LD_DZ;
  let expert = expert_at(e, token);
  let a = expert.lift.gain;
  let b = expert.drop.gain;
  let rank = RANK[e];
  let column = Z_COLUMN[e];
  var p = 0.0;
  var peak = 0.0;
  for (var j = 0u; j < rank; j++) {
    let zj = z_of[j / 4u][j % 4u];
    p += dz[row + column + j] * zj;
    peak = max(peak, abs(zj));
  }
  let scale = SCALE[e] * slot;
  gate_by[k] = scale * p * (a * b);
  let weight = scale * gate * (a * b);
  let by_gain = scale * gate * p;
  let db = by_gain * a;
  let m_by_m = expert.drop.by_square * (expert.m / (1.0 + expert.m));  // m·D'(m)
  let q_by_q = expert.lift.by_square * (expert.q / (1.0 + expert.q));  // q·L'(q)
  let da = by_gain * (b + 2.0 * m_by_m);
  // C = Σ dn z zᵀ must stay finite as well.
  let dn = bounded_product(db * expert.drop.by_square, a * a / (1.0 + expert.m) * expert.inv_sigma2, max(peak * peak, 1.0));
  let twice = 2.0 * dn * expert.unscale;
  let curved = SPACE[e] != 0u;
  for (var j = 0u; j < rank; j++) {
    var value = weight * dz[row + column + j];
    if (curved) { value += twice * gram_z[j / 4u][j % 4u]; }
    dz[row + column + j] = value;
  }
  dz[row + DN_COLUMN + e] = dn;
  for (var i = 0u; i < MAX_PARAMETERS; i++) {
    dz[row + DTHETA_COLUMN + e * MAX_PARAMETERS + i] = bounded_product(da, expert.lift.by_stored[i], 1.0)
      + bounded_product(db, expert.drop.by_stored[i], 1.0);
  }
  dz[row + DLOG_SIGMA_COLUMN + e] = select(0.0, -2.0 * (da * q_by_q + db * m_by_m), LEARN_SCALE[e] != 0u);
  return 2.0 * da * (expert.lift.by_square / (1.0 + expert.q)) * expert.inv_sigma2;
}

// x·y, cut off at ±1e30/weight: at κ = 0 the true curvature gradient of a token with ‖x‖ = 1e18 exceeds f32.
fn bounded_product(x: f32, y: f32, weight: f32) -> f32 {
  let limit = 1e30 / weight / max(abs(x), 1e-6);
  return x * clamp(y, -limit, limit);
}

fn router_backward(adapter: u32, count: u32, record: u32) {
  var kept_total = 0.0;
  var gate_mean = 0.0;
  for (var k = 0u; k < count; k++) {
    let gate = routing[record + count + k];
    if (gate > 0.0) { kept_total += routing[record + k]; }
    gate_mean += gate_by[k] * gate;
  }
  let per_token = frame.aux_scale / f32(frame.tokens);
  let balance = AUX[adapter] * f32(count) * per_token;
  var mean = 0.0;
  for (var k = 0u; k < count; k++) {
    var by = 0.0;
    if (routing[record + count + k] > 0.0) {
      by = gate_by[k];
      if (RENORM[adapter] != 0u) { by = (by - gate_mean) / kept_total; }
    }
    if (balance != 0.0) { by += balance * stats[adapter * STATS_BLOCK + k]; }
    logit_by[k] = by;
    mean += by * routing[record + k];
  }
  let size = ZLOSS[adapter] * 2.0 * routing[record + 3u * count + 1u] * per_token;
  for (var k = 0u; k < count; k++) { logit_by[k] = routing[record + k] * (logit_by[k] - mean + size); }
}

// ℓ = M z over the adapter's stacked z: dz += Mᵀdℓ; dℓ itself is kept for dM = Σ dℓ zᵀ in gains.reduce.
fn rank_router_backward(adapter: u32, row: u32) {
  let start = EXPERT_START[adapter];
  let end = EXPERT_START[adapter + 1u];
  var at = ROUTER_OFFSET[adapter];
  for (var k = 0u; k < end - start; k++) {
    dz[row + DLOGIT_COLUMN + start + k] = logit_by[k];
    for (var e = start; e < end; e++) {
      let rank = RANK[e];
      let first = row + Z_COLUMN[e];
      for (var j = 0u; j < rank; j++) { dz[first + j] += logit_by[k] * geometry[at + j]; }
      at += rank;
    }
  }
}

fn write_padding(row: u32) {
  for (var c = 0u; c < Z_COLUMN[0]; c++) { dz[row + c] = 0.0; }
  for (var c = LD_S; c < EXTRA_COLUMN; c++) {
    if (!is_logit(c)) { dz[row + c] = 0.0; }
  }
  for (var c = DLOGIT_COLUMN + EXPERTS; c < LD_DZ; c++) { dz[row + c] = 0.0; }
}

fn is_logit(column: u32) -> bool {
  for (var i = 0u; i < ADAPTERS; i++) {
    let count = EXPERT_START[i + 1u] - EXPERT_START[i];
    let routed = HAS_ROUTER[i] != 0u && ON_RANK[i] == 0u;
    if (routed && column >= ROUTER_COLUMN[i] && column < ROUTER_COLUMN[i] + count) { return true; }
  }
  return false;
}
