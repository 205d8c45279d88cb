// Gradient of attention.forward with respect to k and v (Dao et al., arXiv 2205.14135, algorithm 4), one invocation per
// kv head and key, or pair of keys a and b: it runs over the queries [first, end) that see the key and over the query
// heads of its group, so that nothing is added atomically. dv = Σ p·d_o and dk = SCALE·Σ p·(d_o·v − delta)·q.
const Q_HEADS: u32 = 4u; // @param
const KV_HEADS: u32 = 2u; // @param
const HEAD_SIZE: u32 = 16u; // @param
const SCALE: f32 = 0.25f; // @param
const LD_Q: u32 = 64u; // @param
const LD_KV: u32 = 64u; // @param
const MAX_KEYS: u32 = 64u; // @param

@group(0) @binding(1) var<storage, read> q: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> kv: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> queries: array<vec2<u32>>;
@group(0) @binding(4) var<storage, read> d_o: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read> lse: array<f32>;
@group(0) @binding(6) var<storage, read> delta: array<f32>;
@group(0) @binding(7) var<storage, read_write> dkv: array<vec4<f32>>;

// Weights of four queries. None exceeds 1; rounding of large scores must not make it so.
fn weights(score: vec4<f32>, log_sum: vec4<f32>, seen: vec4<bool>) -> vec4<f32> {
  return select(vec4<f32>(), exp(min(score - log_sum, vec4<f32>())), seen);
}

fn write_padding(t: u32, kv_head: u32) {
  if (kv_head < KV_HEADS - 1u) { return; }
  for (var c = 2u * KV_HEADS * QUADS; c < LD_KV / 4u; c++) { dkv[t * (LD_KV / 4u) + c] = vec4<f32>(); }
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  let groups = (frame.tokens + TOKENS - 1u) / TOKENS;
  if (id.x >= groups * KV_HEADS) { return; }
  let kv_head = id.x / groups;
  // The last of an odd number of keys is paired with itself.
  let t_a = id.x % groups * TOKENS;
  let t_b = min(t_a + TOKENS, frame.tokens) - 1u;
  let queries_a = queries[t_a];
  let queries_b = queries[t_b];
  let joined = is_joined(queries_a, queries_b);
  const heads = Q_HEADS / KV_HEADS;
  const v_column = KV_HEADS * QUADS;
  let start_a = t_a * (LD_KV / 4u) + kv_head * QUADS;
  let start_b = t_b * (LD_KV / 4u) + kv_head * QUADS;

  var key_a: array<vec4<f32>, QUADS>;
  var key_b: array<vec4<f32>, QUADS_B>;
  var value_a: array<vec4<f32>, QUADS>;
  var value_b: array<vec4<f32>, QUADS_B>;
  var dk_a: array<vec4<f32>, QUADS>;
  var dk_b: array<vec4<f32>, QUADS_B>;
  var dv_a: array<vec4<f32>, QUADS>;
  var dv_b: array<vec4<f32>, QUADS_B>;
  for (var i = 0u; i < QUADS; i++) {
    key_a[i] = kv[start_a + i] * SCALE;
    value_a[i] = kv[start_a + v_column + i];
    if (PAIRED) {
      key_b[i] = kv[start_b + i] * SCALE;
      value_b[i] = kv[start_b + v_column + i];
    }
  }
  for (var part = 0u; part < TOKENS * heads; part++) {
    let pass_ = part / heads;
    let head = kv_head * heads + part % heads;
    if (pass_ == 1u && joined) { break; }
    let range = range_of_pass(queries_a, queries_b, joined, pass_);
    for (var step = 0u; step < TOKENS * MAX_KEYS; step += 4u) {
      let query = range.x + step;
      if (query >= range.y) { break; }
      // Rows past the end repeat the last one and weigh nothing.
      let rows = vec4<u32>(query, query + 1u, query + 2u, query + 3u);
      let token = min(rows, vec4<u32>(range.y - 1u));
      let at = token * (LD_Q / 4u) + head * QUADS;
      let row = token * Q_HEADS + head;
      var score_a = vec4<f32>();
      var score_b = vec4<f32>();
      var dp_a = vec4<f32>();
      var dp_b = vec4<f32>();
      for (var i = 0u; i < QUADS; i++) {
        let q0 = q[at.x + i];
        let q1 = q[at.y + i];
        let q2 = q[at.z + i];
        let q3 = q[at.w + i];
        let d0 = d_o[at.x + i];
        let d1 = d_o[at.y + i];
        let d2 = d_o[at.z + i];
        let d3 = d_o[at.w + i];
        let ka = key_a[i];
        let va = value_a[i];
        score_a += vec4<f32>(dot(ka, q0), dot(ka, q1), dot(ka, q2), dot(ka, q3));
        dp_a += vec4<f32>(dot(va, d0), dot(va, d1), dot(va, d2), dot(va, d3));
        if (PAIRED) {
          let kb = key_b[i];
          let vb = value_b[i];
          score_b += vec4<f32>(dot(kb, q0), dot(kb, q1), dot(kb, q2), dot(kb, q3));
          dp_b += vec4<f32>(dot(vb, d0), dot(vb, d1), dot(vb, d2), dot(vb, d3));
        }
      }
      let log_sum = vec4<f32>(lse[row.x], lse[row.y], lse[row.z], lse[row.w]);
      let along = vec4<f32>(delta[row.x], delta[row.y], delta[row.z], delta[row.w]);
      let pa = weights(score_a, log_sum, inside(queries_a, rows, joined || pass_ == 0u));
      let pb = weights(score_b, log_sum, inside(queries_b, rows, joined || pass_ == 1u));
      let sa = pa * (dp_a - along) * SCALE;
      let sb = pb * (dp_b - along) * SCALE;
      for (var i = 0u; i < QUADS; i++) {
        let q0 = q[at.x + i];
        let q1 = q[at.y + i];
        let q2 = q[at.z + i];
        let q3 = q[at.w + i];
        let d0 = d_o[at.x + i];
        let d1 = d_o[at.y + i];
        let d2 = d_o[at.z + i];
        let d3 = d_o[at.w + i];
        dk_a[i] += (sa.x * q0 + sa.y * q1) + (sa.z * q2 + sa.w * q3);
        dv_a[i] += (pa.x * d0 + pa.y * d1) + (pa.z * d2 + pa.w * d3);
        if (PAIRED) {
          dk_b[i] += (sb.x * q0 + sb.y * q1) + (sb.z * q2 + sb.w * q3);
          dv_b[i] += (pb.x * d0 + pb.y * d1) + (pb.z * d2 + pb.w * d3);
        }
      }
    }
  }
  for (var i = 0u; i < QUADS; i++) {
    dkv[start_a + i] = dk_a[i];
    dkv[start_a + v_column + i] = dv_a[i];
  }
  write_padding(t_a, kv_head);
  if (PAIRED && t_b != t_a) {
    for (var i = 0u; i < QUADS_B; i++) {
      dkv[start_b + i] = dk_b[i];
      dkv[start_b + v_column + i] = dv_b[i];
    }
    write_padding(t_b, kv_head);
  }
}
