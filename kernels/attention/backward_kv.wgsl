// Gradient of attention.forward with respect to k and v (Dao et al., arXiv 2205.14135, algorithm 4), one invocation per
// kv head and key: it runs over the queries [first, end) that see the key and over the query heads of its group, so that
// nothing is added atomically. dv = Σ p·d_o and dk = SCALE·Σ p·(d_o·v − delta)·q.

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  if (id.x >= frame.tokens * KV_HEADS) { return; }
  let kv_head = id.x / frame.tokens;
  let t = id.x % frame.tokens;
  let range = queries[t];
  const heads = Q_HEADS / KV_HEADS;
  const stride = LD_KV / 4u;
  const v_column = KV_HEADS * QUADS;
  let at = t * stride + kv_head * QUADS;

  var key: array<vec4<f32>, QUADS>;
  var value: array<vec4<f32>, QUADS>;
  var dk: array<vec4<f32>, QUADS>;
  var dv: array<vec4<f32>, QUADS>;
  for (var i = 0u; i < QUADS; i++) {
    key[i] = kv[at + i] * SCALE;
    value[i] = kv[at + v_column + i];
  }
  for (var head = kv_head * heads; head < (kv_head + 1u) * heads; head++) {
    for (var query = range.x; query < range.y; query += 4u) {
      // Rows past the end repeat the last one and weigh nothing.
      let rows = vec4<u32>(query, query + 1u, query + 2u, query + 3u);
      let token = min(rows, vec4<u32>(range.y - 1u));
      let x = token * (LD_Q / 4u) + head * QUADS;
      let y = token * Q_HEADS + head;
      var score = vec4<f32>();
      var dp = vec4<f32>();
      for (var i = 0u; i < QUADS; i++) {
        score += key[i] * mat4x4<f32>(q[x.x + i], q[x.y + i], q[x.z + i], q[x.w + i]);
        dp += value[i] * mat4x4<f32>(d_o[x.x + i], d_o[x.y + i], d_o[x.z + i], d_o[x.w + i]);
      }
      let log_sum = vec4<f32>(lse[y.x], lse[y.y], lse[y.z], lse[y.w]);
      let along = vec4<f32>(delta[y.x], delta[y.y], delta[y.z], delta[y.w]);
      let p = weights(score, log_sum, rows < vec4<u32>(range.y));
      let ds = p * (dp - along) * SCALE;
      for (var i = 0u; i < QUADS; i++) {
        dk[i] += mat4x4<f32>(q[x.x + i], q[x.y + i], q[x.z + i], q[x.w + i]) * ds;
        dv[i] += mat4x4<f32>(d_o[x.x + i], d_o[x.y + i], d_o[x.z + i], d_o[x.w + i]) * p;
      }
    }
  }
  for (var i = 0u; i < QUADS; i++) {
    dkv[at + i] = dk[i];
    dkv[at + v_column + i] = dv[i];
  }
  if (kv_head == KV_HEADS - 1u) {
    for (var c = 2u * KV_HEADS * QUADS; c < stride; c++) { dkv[t * stride + c] = vec4<f32>(); }
  }
}
