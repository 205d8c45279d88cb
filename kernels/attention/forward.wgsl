// softmax(SCALE·q·kᵀ) v over the keys [first, end) of each token, grouped-query, with the running maximum and sum of
// Milakov and Gimelshein (arXiv 1805.02867): the scores are never stored. lse = log Σ exp(SCALE·q·k) serves the gradient.
// One invocation per head and token, tokens first: neighbours then read the same keys. Four keys at a time, so that the
// accumulator is rescaled once for four.

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

  var query: array<vec4<f32>, QUADS>;
  var sum: array<vec4<f32>, QUADS>;
  for (var i = 0u; i < QUADS; i++) { query[i] = q[at + i] * SCALE; }
  var highest = LOWEST;
  var total = 0.0;
  for (var key = range.x; key < range.y; key += 4u) {
    // Rows past the end repeat the last one and weigh nothing.
    let rows = vec4<u32>(key, key + 1u, key + 2u, key + 3u);
    let row = min(rows, vec4<u32>(range.y - 1u)) * stride;
    let k = row + k_column;
    let v = row + v_column;
    var score = vec4<f32>();
    for (var i = 0u; i < QUADS; i++) {
      score += query[i] * mat4x4<f32>(kv[k.x + i], kv[k.y + i], kv[k.z + i], kv[k.w + i]);
    }
    score = select(vec4<f32>(LOWEST), score, rows < vec4<u32>(range.y));
    let top = max(highest, largest(score));
    let keep = exp(highest - top);
    let p = exp(score - top);
    total = total * keep + sum4(p);
    highest = top;
    for (var i = 0u; i < QUADS; i++) {
      sum[i] = sum[i] * keep + mat4x4<f32>(kv[v.x + i], kv[v.y + i], kv[v.z + i], kv[v.w + i]) * p;
    }
  }
  // A token that sees no key gets zeros.
  let none = range.y <= range.x;
  let share = select(1.0 / total, 0.0, none);
  for (var i = 0u; i < QUADS; i++) { o[at + i] = sum[i] * share; }
  lse[t * Q_HEADS + head] = select(highest + log(max(total, 1.0)), 0.0, none);
  if (head == Q_HEADS - 1u) {
    for (var c = Q_HEADS * QUADS; c < LD_Q / 4u; c++) { o[t * (LD_Q / 4u) + c] = vec4<f32>(); }
  }
}
