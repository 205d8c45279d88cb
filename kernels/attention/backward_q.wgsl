// Gradient of attention.forward with respect to q (Dao et al., arXiv 2205.14135, algorithm 4): with
// p = exp(SCALE·q·k − lse) and delta = Σ d_o∘o, dq = SCALE·Σ_keys p·(d_o·v − delta)·k. Same layout as attention.forward.
const Q_HEADS: u32 = 4u; // @param
const KV_HEADS: u32 = 2u; // @param
const HEAD_SIZE: u32 = 16u; // @param
const SCALE: f32 = 0.25f; // @param
const LD_Q: u32 = 64u; // @param
const LD_KV: u32 = 64u; // @param
const MAX_KEYS: u32 = 64u; // @param

@group(0) @binding(1) var<storage, read> q: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> kv: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> keys: array<vec2<u32>>;
@group(0) @binding(4) var<storage, read> d_o: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read> o: array<vec4<f32>>;
@group(0) @binding(6) var<storage, read> lse: array<f32>;
@group(0) @binding(7) var<storage, read_write> dq: array<vec4<f32>>;
@group(0) @binding(8) var<storage, read_write> delta: array<f32>;

// SCALE·p·(dp − delta) for four keys. No weight p exceeds 1; rounding of large scores must not make it so.
fn score_gradient(score: vec4<f32>, log_sum: f32, dp: vec4<f32>, along: f32, seen: vec4<bool>) -> vec4<f32> {
  let p = exp(min(score - log_sum, vec4<f32>()));
  return select(vec4<f32>(), p, seen) * (dp - along) * SCALE;
}

fn finish(t: u32, head: u32, along: f32) {
  delta[t * Q_HEADS + head] = along;
  if (head == Q_HEADS - 1u) {
    for (var c = Q_HEADS * QUADS; c < LD_Q / 4u; c++) { dq[t * (LD_Q / 4u) + c] = vec4<f32>(); }
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
  let lse_a = lse[t_a * Q_HEADS + head];
  let lse_b = lse[t_b * Q_HEADS + head];

  var query_a: array<vec4<f32>, QUADS>;
  var query_b: array<vec4<f32>, QUADS_B>;
  var grad_a: array<vec4<f32>, QUADS>;
  var grad_b: array<vec4<f32>, QUADS_B>;
  var sum_a: array<vec4<f32>, QUADS>;
  var sum_b: array<vec4<f32>, QUADS_B>;
  var along = vec2<f32>();
  for (var i = 0u; i < QUADS; i++) {
    query_a[i] = q[start_a + i] * SCALE;
    grad_a[i] = d_o[start_a + i];
    along.x += dot(grad_a[i], o[start_a + i]);
    if (PAIRED) {
      query_b[i] = q[start_b + i] * SCALE;
      grad_b[i] = d_o[start_b + i];
      along.y += dot(grad_b[i], o[start_b + i]);
    }
  }
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
      var dp_a = vec4<f32>();
      var dp_b = vec4<f32>();
      for (var i = 0u; i < QUADS; i++) {
        let k0 = kv[k_at.x + i];
        let k1 = kv[k_at.y + i];
        let k2 = kv[k_at.z + i];
        let k3 = kv[k_at.w + i];
        let v0 = kv[v_at.x + i];
        let v1 = kv[v_at.y + i];
        let v2 = kv[v_at.z + i];
        let v3 = kv[v_at.w + i];
        let a = query_a[i];
        let da = grad_a[i];
        score_a += vec4<f32>(dot(a, k0), dot(a, k1), dot(a, k2), dot(a, k3));
        dp_a += vec4<f32>(dot(da, v0), dot(da, v1), dot(da, v2), dot(da, v3));
        if (PAIRED) {
          let b = query_b[i];
          let db = grad_b[i];
          score_b += vec4<f32>(dot(b, k0), dot(b, k1), dot(b, k2), dot(b, k3));
          dp_b += vec4<f32>(dot(db, v0), dot(db, v1), dot(db, v2), dot(db, v3));
        }
      }
      let a = score_gradient(score_a, lse_a, dp_a, along.x, inside(keys_a, rows, joined || pass_ == 0u));
      let b = score_gradient(score_b, lse_b, dp_b, along.y, inside(keys_b, rows, joined || pass_ == 1u));
      for (var i = 0u; i < QUADS; i++) {
        let k0 = kv[k_at.x + i];
        let k1 = kv[k_at.y + i];
        let k2 = kv[k_at.z + i];
        let k3 = kv[k_at.w + i];
        sum_a[i] += (a.x * k0 + a.y * k1) + (a.z * k2 + a.w * k3);
        if (PAIRED) { sum_b[i] += (b.x * k0 + b.y * k1) + (b.z * k2 + b.w * k3); }
      }
    }
  }
  for (var i = 0u; i < QUADS; i++) { dq[start_a + i] = sum_a[i]; }
  finish(t_a, head, along.x);
  if (PAIRED && t_b != t_a) {
    for (var i = 0u; i < QUADS_B; i++) { dq[start_b + i] = sum_b[i]; }
    finish(t_b, head, along.y);
  }
}
