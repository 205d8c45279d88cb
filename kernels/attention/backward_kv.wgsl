// Gradient of attention.forward with respect to k and v (Dao et al., arXiv 2205.14135, algorithm 4), one invocation per
// key and kv head: it runs over the queries [first, end) that see the key and over the query heads of its group, so that
// nothing is added atomically. dv = Σ p·d_o and dk = SCALE·Σ p·(d_o·v − delta)·q. Four queries at a time.
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
@group(0) @binding(3) var<storage, read> queries: array<vec2<u32>>;
@group(0) @binding(4) var<storage, read> d_o: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read> lse: array<f32>;
@group(0) @binding(6) var<storage, read> delta: array<f32>;
@group(0) @binding(7) var<storage, read_write> dkv: array<vec4<f32>>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  if (id.x >= frame.tokens * KV_HEADS) { return; }
  let t = id.x % frame.tokens;
  let kv_head = id.x / frame.tokens;
  const group = Q_HEADS / KV_HEADS;
  let first_query = queries[t].x;
  let end = queries[t].y;
  let start = t * (LD_KV / 4u) + kv_head * QUADS;

  var key: array<vec4<f32>, QUADS>;
  var value: array<vec4<f32>, QUADS>;
  var dk: array<vec4<f32>, QUADS>;
  var dv: array<vec4<f32>, QUADS>;
  for (var i = 0u; i < QUADS; i++) {
    key[i] = kv[start + i] * SCALE;
    value[i] = kv[start + KV_HEADS * QUADS + i];
  }
  for (var head = kv_head * group; head < (kv_head + 1u) * group; head++) {
    for (var step = 0u; step < MAX_KEYS; step += 4u) {
      let query = first_query + step;
      if (query >= end) { break; }
      let quad = vec4<u32>(query, query + 1u, query + 2u, query + 3u);
      // Rows past the end repeat the last one and weigh nothing.
      let token = min(quad, vec4<u32>(end - 1u));
      let at = token * (LD_Q / 4u) + head * QUADS;
      let row = token * Q_HEADS + head;
      var score = vec4<f32>();
      var dp = vec4<f32>();
      for (var i = 0u; i < QUADS; i++) {
        let k = key[i];
        let v = value[i];
        score += vec4<f32>(dot(k, q[at.x + i]), dot(k, q[at.y + i]), dot(k, q[at.z + i]), dot(k, q[at.w + i]));
        dp += vec4<f32>(dot(v, d_o[at.x + i]), dot(v, d_o[at.y + i]), dot(v, d_o[at.z + i]), dot(v, d_o[at.w + i]));
      }
      var p = exp(min(score - vec4<f32>(lse[row.x], lse[row.y], lse[row.z], lse[row.w]), vec4<f32>()));
      p = select(vec4<f32>(), p, quad < vec4<u32>(end));
      let ds = p * (dp - vec4<f32>(delta[row.x], delta[row.y], delta[row.z], delta[row.w])) * SCALE;
      for (var i = 0u; i < QUADS; i++) {
        dk[i] += (ds.x * q[at.x + i] + ds.y * q[at.y + i]) + (ds.z * q[at.z + i] + ds.w * q[at.w + i]);
        dv[i] += (p.x * d_o[at.x + i] + p.y * d_o[at.y + i]) + (p.z * d_o[at.z + i] + p.w * d_o[at.w + i]);
      }
    }
  }
  for (var i = 0u; i < QUADS; i++) {
    dkv[start + i] = dk[i];
    dkv[start + KV_HEADS * QUADS + i] = dv[i];
  }
  if (kv_head == KV_HEADS - 1u) {
    for (var c = 2u * KV_HEADS * QUADS; c < LD_KV / 4u; c++) { dkv[t * (LD_KV / 4u) + c] = vec4<f32>(); }
  }
}
