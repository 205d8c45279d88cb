// attention.backward_kv for processors that run four invocations as one (quads.wgsl): lanes are keys, rows are queries.

fn hand_around_one(own: f32) -> vec4<f32> {
  return vec4<f32>(own, quadSwapX(own), quadSwapY(own), quadSwapDiagonal(own));
}

@compute @workgroup_size(16)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
  let kv_head = group.y;
  let lane = local % 4u;
  if (group.x * BLOCK >= frame.tokens) { return; }
  let t0 = group.x * BLOCK + local / 4u * (4u * TOKENS) + lane;
  const heads = Q_HEADS / KV_HEADS;
  const stride = LD_KV / 4u;
  const v_column = KV_HEADS * QUADS;

  var ranges: Ranges;
  var key: array<vec4<f32>, VALUES>;
  var value: array<vec4<f32>, VALUES>;
  var dk: array<vec4<f32>, VALUES>;
  var dv: array<vec4<f32>, VALUES>;
  for (var j = 0u; j < TOKENS; j++) { // @unroll
    let t = min(t0 + 4u * j, frame.tokens - 1u);
    ranges[j] = select(vec2<u32>(), queries[t], t0 + 4u * j < frame.tokens);
    for (var i = 0u; i < QUADS; i++) {
      let at = t * stride + kv_head * QUADS + i;
      key[j * QUADS + i] = kv[at] * SCALE;
      value[j * QUADS + i] = kv[at + v_column];
    }
  }
  for (var head = kv_head * heads; head < (kv_head + 1u) * heads; head++) {
    for (var rows = next_rows(ranges, 0u); rows.x < rows.y; rows = rows_after(ranges, rows)) {
      let own = own_row(lane, rows);
      let at = own * (LD_Q / 4u) + head * QUADS;
      var own_q: array<vec4<f32>, QUADS>;
      var own_d: array<vec4<f32>, QUADS>;
      var score = Scores();
      var dp = Scores();
      for (var i = 0u; i < QUADS; i++) { // @unroll
        own_q[i] = q[at + i];
        own_d[i] = d_o[at + i];
        let rows_q = hand_around(own_q[i]);
        let rows_d = hand_around(own_d[i]);
        for (var j = 0u; j < TOKENS; j++) { // @unroll
          score[j] += key[j * QUADS + i] * rows_q;
          dp[j] += value[j * QUADS + i] * rows_d;
        }
      }
      let log_sum = hand_around_one(lse[own * Q_HEADS + head]);
      let along = hand_around_one(delta[own * Q_HEADS + head]);
      for (var j = 0u; j < TOKENS; j++) { // @unroll
        score[j] = weights(score[j], log_sum, seen(lane, rows, ranges[j]));
        dp[j] = score[j] * (dp[j] - along) * SCALE;
      }
      for (var i = 0u; i < QUADS; i++) { // @unroll
        let rows_q = hand_around(own_q[i]);
        let rows_d = hand_around(own_d[i]);
        for (var j = 0u; j < TOKENS; j++) { // @unroll
          dk[j * QUADS + i] += rows_q * dp[j];
          dv[j * QUADS + i] += rows_d * score[j];
        }
      }
    }
  }
  for (var j = 0u; j < TOKENS; j++) { // @unroll
    let t = t0 + 4u * j;
    if (t < frame.tokens) {
      for (var i = 0u; i < QUADS; i++) { // @unroll
        let at = t * stride + kv_head * QUADS + i;
        dkv[at] = dk[j * QUADS + i];
        dkv[at + v_column] = dv[j * QUADS + i];
      }
      if (kv_head == KV_HEADS - 1u) {
        for (var c = 2u * KV_HEADS * QUADS; c < stride; c++) { dkv[t * stride + c] = vec4<f32>(); }
      }
    }
  }
}
