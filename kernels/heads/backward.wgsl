// Gradient of heads.forward with respect to qkv; the norm is recomputed. A rotation's gradient is the rotation back.
// With x a head, w its norm weight and g the gradient of the normed head:
// dx = inv·(w∘g − x·inv²·mean(x∘w∘g)). One invocation per head of a token, heads ordered q, k, v.
const Q_HEADS: u32 = 4u; // @param
const KV_HEADS: u32 = 2u; // @param
const HEAD_SIZE: u32 = 16u; // @param
const LD_QKV: u32 = 128u; // @param
const K_COLUMN: u32 = 64u; // @param
const V_COLUMN: u32 = 96u; // @param
const LD_Q: u32 = 64u; // @param
const LD_KV: u32 = 64u; // @param
const HAS_NORM: bool = false; // @param
const EPS: f32 = 0.000001f; // @param
const PAIRS = HEAD_SIZE / 2u;
const HALF = HEAD_SIZE / 4u;

@group(0) @binding(1) var<storage, read> dq: array<vec2<f32>>;
@group(0) @binding(2) var<storage, read> dkv: array<vec2<f32>>;
@group(0) @binding(3) var<storage, read> qkv: array<vec2<f32>>;
@group(0) @binding(4) var<storage, read> position: array<u32>;
@group(0) @binding(5) var<storage, read> rope: array<vec2<f32>>;
@group(0) @binding(6) var<storage, read> norms: array<vec2<f32>>;
@group(0) @binding(7) var<storage, read_write> dqkv: array<vec2<f32>>;

// Pair i of the incoming gradient of a q or k head.
fn incoming(base: u32, i: u32, is_q: bool) -> vec2<f32> {
  if (is_q) { return dq[base + i]; }
  return dkv[base + i];
}

fn write_zeros(t: u32, first_column: u32, end_column: u32) {
  for (var c = first_column / 2u; c < end_column / 2u; c++) { dqkv[t * (LD_QKV / 2u) + c] = vec2<f32>(); }
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  const HEADS = Q_HEADS + 2u * KV_HEADS;
  if (id.x >= frame.tokens * HEADS) { return; }
  let t = id.x / HEADS;
  let head = id.x % HEADS;
  let is_q = head < Q_HEADS;
  let is_v = head >= Q_HEADS + KV_HEADS;
  if (head == Q_HEADS - 1u) { write_zeros(t, Q_HEADS * HEAD_SIZE, K_COLUMN); }
  if (head == Q_HEADS + KV_HEADS - 1u) { write_zeros(t, K_COLUMN + KV_HEADS * HEAD_SIZE, V_COLUMN); }
  if (head == HEADS - 1u) { write_zeros(t, V_COLUMN + KV_HEADS * HEAD_SIZE, LD_QKV); }

  if (is_v) {
    let h = head - Q_HEADS - KV_HEADS;
    let to = t * (LD_QKV / 2u) + V_COLUMN / 2u + h * PAIRS;
    let base = t * (LD_KV / 2u) + (KV_HEADS + h) * PAIRS;
    for (var i = 0u; i < PAIRS; i++) { dqkv[to + i] = dkv[base + i]; }
    return;
  }
  let norm = select(PAIRS, 0u, is_q);
  let start = t * (LD_QKV / 2u) + select(K_COLUMN / 2u + (head - Q_HEADS) * PAIRS, head * PAIRS, is_q);
  let base = select(t * (LD_KV / 2u) + (head - Q_HEADS) * PAIRS, t * (LD_Q / 2u) + head * PAIRS, is_q);
  let angles = position[t] * PAIRS;
  var squares = 0.0;
  var along = 0.0;
  for (var i = 0u; i < HALF; i++) {
    let cosine = rope[angles + i];
    let sine = rope[angles + HALF + i];
    let low = incoming(base, i, is_q);
    let high = incoming(base, HALF + i, is_q);
    var back_low = low * cosine + high * sine;
    var back_high = high * cosine - low * sine;
    if (HAS_NORM) {
      let x_low = qkv[start + i];
      let x_high = qkv[start + HALF + i];
      back_low *= norms[norm + i];
      back_high *= norms[norm + HALF + i];
      squares += dot(x_low, x_low) + dot(x_high, x_high);
      along += dot(x_low, back_low) + dot(x_high, back_high);
    }
    dqkv[start + i] = back_low;
    dqkv[start + HALF + i] = back_high;
  }
  if (HAS_NORM) {
    let inv = inverseSqrt(squares / f32(HEAD_SIZE) + EPS);
    let pull = along / f32(HEAD_SIZE) * inv * inv;
    for (var i = 0u; i < PAIRS; i++) { dqkv[start + i] = inv * (dqkv[start + i] - qkv[start + i] * pull); }
  }
}
