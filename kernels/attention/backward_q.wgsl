// Gradient of attention.forward with respect to q (Dao et al., arXiv 2205.14135, algorithm 4): with
// p = exp(SCALE·q·k − lse) and delta = Σ d_o∘o, dq = SCALE·Σ_keys p·(d_o·v − delta)·k. Same layout as attention.forward.
const Q_HEADS: u32 = 4u; // @param
const KV_HEADS: u32 = 2u; // @param
const HEAD_SIZE: u32 = 16u; // @param
const SCALE: f32 = 0.25f; // @param
const LD_Q: u32 = 64u; // @param
const LD_KV: u32 = 64u; // @param
const MAX_KEYS: u32 = 64u; // @param
const QUADS = HEAD_SIZE / 4u;

@group(0) @binding(1) var<storage, read> q: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> kv: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> keys: array<vec2<u32>>;
@group(0) @binding(4) var<storage, read> d_o: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read> o: array<vec4<f32>>;
@group(0) @binding(6) var<storage, read> lse: array<f32>;
@group(0) @binding(7) var<storage, read_write> dq: array<vec4<f32>>;
@group(0) @binding(8) var<storage, read_write> delta: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  if (id.x >= frame.tokens * Q_HEADS) { return; }
  let t = id.x % frame.tokens;
  let head = id.x / frame.tokens;
  const stride = LD_KV / 4u;
  let first_key = keys[t].x;
  let end = keys[t].y;
  let k_column = head / (Q_HEADS / KV_HEADS) * QUADS;
  let v_column = k_column + KV_HEADS * QUADS;
  let start = t * (LD_Q / 4u) + head * QUADS;
  let log_sum = lse[t * Q_HEADS + head];

  var query: array<vec4<f32>, QUADS>;
  var grad: array<vec4<f32>, QUADS>;
  var sum: array<vec4<f32>, QUADS>;
  var along = 0.0;
  for (var i = 0u; i < QUADS; i++) {
    query[i] = q[start + i] * SCALE;
    grad[i] = d_o[start + i];
    along += dot(grad[i], o[start + i]);
  }
  for (var step = 0u; step < MAX_KEYS; step += 4u) {
    let key = first_key + step;
    if (key >= end) { break; }
    // Rows past the end repeat the last one and weigh nothing.
    let row = min(vec4<u32>(key, key + 1u, key + 2u, key + 3u), vec4<u32>(end - 1u)) * stride;
    let k_at = row + k_column;
    let v_at = row + v_column;
    var score = vec4<f32>();
    var dp = vec4<f32>();
    for (var i = 0u; i < QUADS; i++) {
      let a = query[i];
      let g = grad[i];
      score += vec4<f32>(dot(a, kv[k_at.x + i]), dot(a, kv[k_at.y + i]), dot(a, kv[k_at.z + i]), dot(a, kv[k_at.w + i]));
      dp += vec4<f32>(dot(g, kv[v_at.x + i]), dot(g, kv[v_at.y + i]), dot(g, kv[v_at.z + i]), dot(g, kv[v_at.w + i]));
    }
    // No weight exceeds 1; rounding of large scores must not make it so.
    var p = exp(min(score - log_sum, vec4<f32>()));
    p = select(vec4<f32>(), p, vec4<u32>(key, key + 1u, key + 2u, key + 3u) < vec4<u32>(end));
    let ds = p * (dp - along) * SCALE;
    for (var i = 0u; i < QUADS; i++) {
      sum[i] += (ds.x * kv[k_at.x + i] + ds.y * kv[k_at.y + i]) + (ds.z * kv[k_at.z + i] + ds.w * kv[k_at.w + i]);
    }
  }
  for (var i = 0u; i < QUADS; i++) { dq[start + i] = sum[i]; }
  delta[t * Q_HEADS + head] = along;
  if (head == Q_HEADS - 1u) {
    for (var c = Q_HEADS * QUADS; c < LD_Q / 4u; c++) { dq[t * (LD_Q / 4u) + c] = vec4<f32>(); }
  }
}
