// attention.backward_q for processors that run four invocations as one (quads.wgsl).

@compute @workgroup_size(16)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
  let head = group.y;
  let lane = local % 4u;
  if (group.x * BLOCK >= frame.tokens) { return; }
  let t0 = group.x * BLOCK + local / 4u * (4u * TOKENS) + lane;
  const stride = LD_KV / 4u;
  let k_column = head / (Q_HEADS / KV_HEADS) * QUADS;
  let v_column = k_column + KV_HEADS * QUADS;

  var ranges: Ranges;
  var query: array<vec4<f32>, VALUES>;
  var grad: array<vec4<f32>, VALUES>;
  var sum: array<vec4<f32>, VALUES>;
  var log_sum: array<f32, TOKENS>;
  var along: array<f32, TOKENS>;
  for (var j = 0u; j < TOKENS; j++) { // @unroll
    let t = min(t0 + 4u * j, frame.tokens - 1u);
    ranges[j] = select(vec2<u32>(), keys[t], t0 + 4u * j < frame.tokens);
    log_sum[j] = lse[t * Q_HEADS + head];
    for (var i = 0u; i < QUADS; i++) {
      let at = t * (LD_Q / 4u) + head * QUADS + i;
      query[j * QUADS + i] = q[at] * SCALE;
      grad[j * QUADS + i] = d_o[at];
      along[j] += dot(d_o[at], o[at]);
    }
  }
  for (var rows = next_rows(ranges, 0u); rows.x < rows.y; rows = rows_after(ranges, rows)) {
    let own = own_row(lane, rows) * stride;
    var own_k: array<vec4<f32>, QUADS>;
    var score = Scores();
    var dp = Scores();
    for (var i = 0u; i < QUADS; i++) { // @unroll
      own_k[i] = kv[own + k_column + i];
      let k = hand_around(own_k[i]);
      let v = hand_around(kv[own + v_column + i]);
      for (var j = 0u; j < TOKENS; j++) { // @unroll
        score[j] += query[j * QUADS + i] * k;
        dp[j] += grad[j * QUADS + i] * v;
      }
    }
    for (var j = 0u; j < TOKENS; j++) { // @unroll
      let p = weights(score[j], vec4<f32>(log_sum[j]), seen(lane, rows, ranges[j]));
      dp[j] = p * (dp[j] - along[j]) * SCALE;
    }
    for (var i = 0u; i < QUADS; i++) { // @unroll
      let k = hand_around(own_k[i]);
      for (var j = 0u; j < TOKENS; j++) { // @unroll
        sum[j * QUADS + i] += k * dp[j];
      }
    }
  }
  for (var j = 0u; j < TOKENS; j++) { // @unroll
    let t = t0 + 4u * j;
    if (t < frame.tokens) {
      for (var i = 0u; i < QUADS; i++) { // @unroll
        dq[t * (LD_Q / 4u) + head * QUADS + i] = sum[j * QUADS + i];
      }
      delta[t * Q_HEADS + head] = along[j];
      if (head == Q_HEADS - 1u) {
        for (var c = Q_HEADS * QUADS; c < LD_Q / 4u; c++) { dq[t * (LD_Q / 4u) + c] = vec4<f32>(); }
      }
    }
  }
}
