// attention.forward for processors that run four invocations as one (quads.wgsl).

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
  var sum: array<vec4<f32>, VALUES>;
  var highest: array<f32, TOKENS>;
  var total: array<f32, TOKENS>;
  for (var j = 0u; j < TOKENS; j++) { // @unroll
    let t = min(t0 + 4u * j, frame.tokens - 1u);
    ranges[j] = select(vec2<u32>(), keys[t], t0 + 4u * j < frame.tokens);
    highest[j] = LOWEST;
    for (var i = 0u; i < QUADS; i++) {
      query[j * QUADS + i] = q[t * (LD_Q / 4u) + head * QUADS + i] * SCALE;
    }
  }
  for (var rows = next_rows(ranges, 0u); rows.x < rows.y; rows = rows_after(ranges, rows)) {
    let own = own_row(lane, rows) * stride;
    var score = Scores();
    for (var i = 0u; i < QUADS; i++) { // @unroll
      let k = hand_around(kv[own + k_column + i]);
      for (var j = 0u; j < TOKENS; j++) { // @unroll
        score[j] += query[j * QUADS + i] * k;
      }
    }
    var keep: array<f32, TOKENS>;
    for (var j = 0u; j < TOKENS; j++) { // @unroll
      // Until a token's first own key its scores are all LOWEST and its sums meaningless; then they are multiplied by 0.
      let s = select(vec4<f32>(LOWEST), score[j], seen(lane, rows, ranges[j]));
      let top = max(highest[j], largest(s));
      keep[j] = exp(highest[j] - top);
      score[j] = exp(s - top);
      total[j] = total[j] * keep[j] + sum4(score[j]);
      highest[j] = top;
    }
    for (var i = 0u; i < QUADS; i++) { // @unroll
      let v = hand_around(kv[own + v_column + i]);
      for (var j = 0u; j < TOKENS; j++) { // @unroll
        sum[j * QUADS + i] = sum[j * QUADS + i] * keep[j] + v * score[j];
      }
    }
  }
  for (var j = 0u; j < TOKENS; j++) { // @unroll
    let t = t0 + 4u * j;
    if (t < frame.tokens) {
      // A token that sees no key gets zeros.
      let none = ranges[j].y <= ranges[j].x;
      let share = select(1.0 / total[j], 0.0, none);
      for (var i = 0u; i < QUADS; i++) { // @unroll
        o[t * (LD_Q / 4u) + head * QUADS + i] = sum[j * QUADS + i] * share;
      }
      lse[t * Q_HEADS + head] = select(highest[j] + log(max(total[j], 1.0)), 0.0, none);
      if (head == Q_HEADS - 1u) {
        for (var c = Q_HEADS * QUADS; c < LD_Q / 4u; c++) { o[t * (LD_Q / 4u) + c] = vec4<f32>(); }
      }
    }
  }
}
