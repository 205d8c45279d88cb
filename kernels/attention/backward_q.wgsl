// Gradient of attention.forward with respect to q (Dao et al., arXiv 2205.14135, algorithm 4): with
// p = exp(SCALE·q·k − lse) and delta = Σ d_o∘o, dq = SCALE·Σ_keys p·(d_o·v − delta)·k. Same layout as attention.forward.

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  if (id.x >= frame.tokens * Q_HEADS) { return; }
  let head = id.x / frame.tokens;
  let t = id.x % frame.tokens;
  let range = keys[t];
  const stride = LD_KV / 4u;
  let k_column = head / (Q_HEADS / KV_HEADS) * QUADS;
  let v_column = k_column + KV_HEADS * QUADS;
  let at = t * (LD_Q / 4u) + head * QUADS;
  let log_sum = vec4<f32>(lse[t * Q_HEADS + head]);

  var query: array<vec4<f32>, QUADS>;
  var grad: array<vec4<f32>, QUADS>;
  var sum: array<vec4<f32>, QUADS>;
  var along = 0.0;
  for (var i = 0u; i < QUADS; i++) {
    query[i] = q[at + i] * SCALE;
    grad[i] = d_o[at + i];
    along += dot(grad[i], o[at + i]);
  }
  for (var key = range.x; key < range.y; key += 4u) {
    // Rows past the end repeat the last one and weigh nothing.
    let rows = vec4<u32>(key, key + 1u, key + 2u, key + 3u);
    let row = min(rows, vec4<u32>(range.y - 1u)) * stride;
    let k = row + k_column;
    let v = row + v_column;
    var score = vec4<f32>();
    var dp = vec4<f32>();
    for (var i = 0u; i < QUADS; i++) {
      score += query[i] * mat4x4<f32>(kv[k.x + i], kv[k.y + i], kv[k.z + i], kv[k.w + i]);
      dp += grad[i] * mat4x4<f32>(kv[v.x + i], kv[v.y + i], kv[v.z + i], kv[v.w + i]);
    }
    let ds = weights(score, log_sum, rows < vec4<u32>(range.y)) * (dp - along) * SCALE;
    for (var i = 0u; i < QUADS; i++) {
      sum[i] += mat4x4<f32>(kv[k.x + i], kv[k.y + i], kv[k.z + i], kv[k.w + i]) * ds;
    }
  }
  for (var i = 0u; i < QUADS; i++) { dq[at + i] = sum[i]; }
  delta[t * Q_HEADS + head] = along;
  if (head == Q_HEADS - 1u) {
    for (var c = Q_HEADS * QUADS; c < LD_Q / 4u; c++) { dq[t * (LD_Q / 4u) + c] = vec4<f32>(); }
  }
}
