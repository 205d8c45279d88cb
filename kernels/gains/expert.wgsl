// One token's geometry in one expert, from rank space alone (MoSLoRA, arXiv 2602.14490). The maps are radial, so only
// squared norms matter: q = ‖x‖²/σ² before the lift, and after it, with n = zᵀGz and G = BᵀB,
// m = ‖B A lift(x/σ)‖² = a²n/σ², a = L(q). Used forward and backward, so that both see the same numbers.
struct Expert {
  inv_sigma2: f32,
  q: f32,
  m: f32,
  lift: Radial,
  drop: Radial,
  unscale: f32,  // G·z = gram_z·unscale
}

const BLOCKS = (MAX_RANK + 3u) / 4u;
var<private> z_of: array<vec4<f32>, BLOCKS>;    // z, zeros behind the rank
var<private> gram_z: array<vec4<f32>, BLOCKS>;  // (G·z)/unscale; curved experts only

fn expert_at(e: u32, token: u32) -> Expert {
  let rank = RANK[e];
  let first = token * LD_INNER + Z_COLUMN[e];
  var peak = vec4<f32>();
  for (var b = 0u; b < BLOCKS; b++) { // @unroll
    let value = z4(first, b, rank);
    z_of[b] = value;
    peak = max(peak, abs(value));
  }
  var expert = Expert();
  expert.unscale = 1.0;
  expert.lift = FLAT;
  expert.drop = FLAT;
  if (SPACE[e] == 0u) { return expert; }

  var stored = vec4<f32>();
  for (var i = 0u; i < PARAMETERS[e]; i++) { stored[i] = geometry[PARAM_OFFSET[e] + PARAMETER_STRIDE * i]; }
  expert.inv_sigma2 = INV_SIGMA2[e];
  if (LEARN_SCALE[e] != 0u) {
    expert.inv_sigma2 = exp(-2.0 * clamp(geometry[log_sigma_at(e)], -30.0, 30.0));
  }
  expert.q = min(inner[token * LD_INNER + RADIUS_COLUMN], LARGEST_SQUARE / max(expert.inv_sigma2, 1.0)) * expert.inv_sigma2;
  expert.lift = lift(SPACE[e], stored, expert.q);

  // Squares of numbers up to 1e18 still fit, but times G they may not: large z are scaled by a power of two, exactly.
  var scale = 1.0;
  if (max(max(peak.x, peak.y), max(peak.z, peak.w)) > 0x1p40f) {
    scale = 0x1p-64f;
    expert.unscale = 0x1p64f;
  }
  for (var b = 0u; b < BLOCKS; b++) { // @unroll
    gram_z[b] = vec4<f32>();
  }
  for (var j = 0u; j < rank; j++) {
    let zj = z_of[j / 4u][j % 4u] * scale;
    let row = GRAM_OFFSET[e] + j * rank;
    for (var b = 0u; b < BLOCKS; b++) { // @unroll
      gram_z[b] += zj * gram4(row, b, rank);
    }
  }
  var n = 0.0;
  for (var b = 0u; b < BLOCKS; b++) { // @unroll
    n += dot(z_of[b] * scale, gram_z[b]);
  }
  n = max(n, 0.0);
  let stretch = expert.lift.gain * sqrt(expert.inv_sigma2) * expert.unscale;
  expert.m = LARGEST_SQUARE;
  if (stretch * sqrt(n) < 1e18) { expert.m = stretch * (stretch * n); }
  expert.drop = drop(SPACE[e], stored, expert.m);
  return expert;
}

// Values 4·block and up of `rank` from `start` on, zeros behind them.
fn z4(start: u32, block: u32, rank: u32) -> vec4<f32> {
  let at = start + 4u * block;
  return select(vec4<f32>(), vec4<f32>(inner[at], inner[at + 1u], inner[at + 2u], inner[at + 3u]), below(block, rank));
}

fn gram4(start: u32, block: u32, rank: u32) -> vec4<f32> {
  let at = start + 4u * block;
  return select(vec4<f32>(), vec4<f32>(gram[at], gram[at + 1u], gram[at + 2u], gram[at + 3u]), below(block, rank));
}

fn below(block: u32, rank: u32) -> vec4<bool> { return 4u * block + vec4<u32>(0u, 1u, 2u, 3u) < vec4<u32>(rank); }

// First column after expert e's padding.
fn next_column(e: u32) -> u32 {
  if (e + 1u < EXPERTS) { return Z_COLUMN[e + 1u]; }
  return LD_S;
}
