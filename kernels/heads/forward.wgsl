// Splits a fused qkv projection into heads: optional RMS norm per head of q and k, rotary positions on q and k in the
// rotate-half convention of HF Llama (Su et al., arXiv 2104.09864), v as it is. One invocation per head of a token,
// heads ordered q, k, v. Pairs of floats because half a head may not be a multiple of 4.
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
const USE_SLOT: bool = false; // @param
const PAIRS = HEAD_SIZE / 2u;
const HALF = HEAD_SIZE / 4u;

@group(0) @binding(1) var<storage, read> qkv: array<vec2<f32>>;
@group(0) @binding(2) var<storage, read> position: array<u32>;
@group(0) @binding(3) var<storage, read> rope: array<vec2<f32>>;
@group(0) @binding(4) var<storage, read> norms: array<vec2<f32>>;
@group(0) @binding(5) var<storage, read> slot: array<u32>;
@group(0) @binding(6) var<storage, read_write> q: array<vec2<f32>>;
@group(0) @binding(7) var<storage, read_write> kv: array<vec2<f32>>;

// Pair i of a head, normed when asked; `which` is 0 for q, 1 for k.
fn normed(start: u32, i: u32, inv: f32, which: u32) -> vec2<f32> {
  if (HAS_NORM) { return qkv[start + i] * inv * norms[which * PAIRS + i]; }
  return qkv[start + i];
}

fn inverse_rms(start: u32) -> f32 {
  var squares = 0.0;
  for (var i = 0u; i < PAIRS; i++) { squares += dot(qkv[start + i], qkv[start + i]); }
  return inverseSqrt(squares / f32(HEAD_SIZE) + EPS);
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  const HEADS = Q_HEADS + 2u * KV_HEADS;
  if (id.x >= frame.tokens * HEADS) { return; }
  let t = id.x / HEADS;
  let head = id.x % HEADS;
  let is_q = head < Q_HEADS;
  let is_v = head >= Q_HEADS + KV_HEADS;
  var row = t;
  if (USE_SLOT) { row = slot[t]; }

  // Whoever writes the last head of a matrix also writes the zeros after it.
  if (head == Q_HEADS - 1u) {
    for (var c = Q_HEADS * PAIRS; c < LD_Q / 2u; c++) { q[t * (LD_Q / 2u) + c] = vec2<f32>(); }
  }
  if (head == HEADS - 1u) {
    for (var c = 2u * KV_HEADS * PAIRS; c < LD_KV / 2u; c++) { kv[row * (LD_KV / 2u) + c] = vec2<f32>(); }
  }

  if (is_v) {
    let h = head - Q_HEADS - KV_HEADS;
    let start = t * (LD_QKV / 2u) + V_COLUMN / 2u + h * PAIRS;
    let to = row * (LD_KV / 2u) + (KV_HEADS + h) * PAIRS;
    for (var i = 0u; i < PAIRS; i++) { kv[to + i] = qkv[start + i]; }
    return;
  }
  let which = select(1u, 0u, is_q);
  let start = t * (LD_QKV / 2u) + select(K_COLUMN / 2u + (head - Q_HEADS) * PAIRS, head * PAIRS, is_q);
  var inv = 1.0;
  if (HAS_NORM) { inv = inverse_rms(start); }
  let angles = position[t] * PAIRS;
  for (var i = 0u; i < HALF; i++) {
    let cosine = rope[angles + i];
    let sine = rope[angles + HALF + i];
    let low = normed(start, i, inv, which);
    let high = normed(start, HALF + i, inv, which);
    let new_low = low * cosine - high * sine;
    let new_high = high * cosine + low * sine;
    if (is_q) {
      let to = t * (LD_Q / 2u) + head * PAIRS + i;
      q[to] = new_low;
      q[to + HALF] = new_high;
    } else {
      let to = row * (LD_KV / 2u) + (head - Q_HEADS) * PAIRS + i;
      kv[to] = new_low;
      kv[to + HALF] = new_high;
    }
  }
}
