// softmax(SCALE·q·kᵀ) v over the keys [first, end) of each token, grouped-query, with the running maximum and sum of
// Milakov and Gimelshein (arXiv 1805.02867): the scores are never stored. lse = log Σ exp(SCALE·q·k) serves the gradient.
// One invocation per head and token, or pair of tokens a and b; tokens first: neighbours then read the same keys. Four
// keys at a time, so that the accumulator is rescaled once for four.
const Q_HEADS: u32 = 4u; // @param
const KV_HEADS: u32 = 2u; // @param
const HEAD_SIZE: u32 = 16u; // @param
const SCALE: f32 = 0.25f; // @param
const LD_Q: u32 = 64u; // @param
const LD_KV: u32 = 64u; // @param
const MAX_KEYS: u32 = 64u; // @param
// Stands in for −∞, whose arithmetic WGSL leaves open: far below any score, yet differences stay finite.
const LOWEST = -1e30;

@group(0) @binding(1) var<storage, read> q: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> kv: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> keys: array<vec2<u32>>;
@group(0) @binding(4) var<storage, read_write> o: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read_write> lse: array<f32>;

// A token that sees no key gets zeros.
fn share_of(total: f32, range: vec2<u32>) -> f32 { return select(1.0 / total, 0.0, range.y <= range.x); }

fn finish(t: u32, head: u32, highest: f32, total: f32, range: vec2<u32>) {
  lse[t * Q_HEADS + head] = select(highest + log(max(total, 1.0)), 0.0, range.y <= range.x);
  if (head == Q_HEADS - 1u) {
    for (var c = Q_HEADS * QUADS; c < LD_Q / 4u; c++) { o[t * (LD_Q / 4u) + c] = vec4<f32>(); }
  }
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  let groups = (frame.tokens + TOKENS - 1u) / TOKENS;
  if (id.x >= groups * Q_HEADS) { return; }
  let head = id.x / groups;
  // The last of an odd number of tokens is paired with itself.
  let t_a = id.x % groups * TOKENS;
  let t_b = min(t_a + TOKENS, frame.tokens) - 1u;
  let keys_a = keys[t_a];
  let keys_b = keys[t_b];
  let joined = is_joined(keys_a, keys_b);
  const stride = LD_KV / 4u;
  let k_column = head / (Q_HEADS / KV_HEADS) * QUADS;
  let v_column = k_column + KV_HEADS * QUADS;
  let start_a = t_a * (LD_Q / 4u) + head * QUADS;
  let start_b = t_b * (LD_Q / 4u) + head * QUADS;

  var query_a: array<vec4<f32>, QUADS>;
  var query_b: array<vec4<f32>, QUADS_B>;
  var sum_a: array<vec4<f32>, QUADS>;
  var sum_b: array<vec4<f32>, QUADS_B>;
  for (var i = 0u; i < QUADS; i++) {
    query_a[i] = q[start_a + i] * SCALE;
    if (PAIRED) { query_b[i] = q[start_b + i] * SCALE; }
  }
  var highest = vec2<f32>(LOWEST);
  var total = vec2<f32>();
  for (var pass_ = 0u; pass_ < TOKENS; pass_++) {
    if (pass_ == 1u && joined) { break; }
    let range = range_of_pass(keys_a, keys_b, joined, pass_);
    for (var step = 0u; step < TOKENS * MAX_KEYS; step += 4u) {
      let key = range.x + step;
      if (key >= range.y) { break; }
      // Rows past the end repeat the last one and weigh nothing.
      let rows = vec4<u32>(key, key + 1u, key + 2u, key + 3u);
      let k_at = min(rows, vec4<u32>(range.y - 1u)) * stride + k_column;
      let v_at = k_at - k_column + v_column;
      var score_a = vec4<f32>();
      var score_b = vec4<f32>();
      for (var i = 0u; i < QUADS; i++) {
        let k0 = kv[k_at.x + i];
        let k1 = kv[k_at.y + i];
        let k2 = kv[k_at.z + i];
        let k3 = kv[k_at.w + i];
        let a = query_a[i];
        score_a += vec4<f32>(dot(a, k0), dot(a, k1), dot(a, k2), dot(a, k3));
        if (PAIRED) {
          let b = query_b[i];
          score_b += vec4<f32>(dot(b, k0), dot(b, k1), dot(b, k2), dot(b, k3));
        }
      }
      // Until a token's first own key its scores are all LOWEST and its sums meaningless; then they are multiplied by 0.
      score_a = select(vec4<f32>(LOWEST), score_a, inside(keys_a, rows, joined || pass_ == 0u));
      score_b = select(vec4<f32>(LOWEST), score_b, inside(keys_b, rows, joined || pass_ == 1u));
      let top = max(highest, vec2<f32>(largest(score_a), largest(score_b)));
      let keep = exp(highest - top);
      let a = exp(score_a - top.x);
      let b = exp(score_b - top.y);
      total = total * keep + vec2<f32>(sum4(a), sum4(b));
      highest = top;
      for (var i = 0u; i < QUADS; i++) {
        let v0 = kv[v_at.x + i];
        let v1 = kv[v_at.y + i];
        let v2 = kv[v_at.z + i];
        let v3 = kv[v_at.w + i];
        sum_a[i] = sum_a[i] * keep.x + (a.x * v0 + a.y * v1) + (a.z * v2 + a.w * v3);
        if (PAIRED) { sum_b[i] = sum_b[i] * keep.y + (b.x * v0 + b.y * v1) + (b.z * v2 + b.w * v3); }
      }
    }
  }
  let share_a = share_of(total.x, keys_a);
  for (var i = 0u; i < QUADS; i++) { o[start_a + i] = sum_a[i] * share_a; }
  finish(t_a, head, highest.x, total.x, keys_a);
  if (PAIRED && t_b != t_a) {
    let share_b = share_of(total.y, keys_b);
    for (var i = 0u; i < QUADS_B; i++) { o[start_b + i] = sum_b[i] * share_b; }
    finish(t_b, head, highest.y, total.y, keys_b);
  }
}
