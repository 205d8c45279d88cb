// NormalFloat with doubly quantised scales (QLoRA, arXiv 2305.14314): codes of four bits, eight to a word, for the
// levels of appendix E; every 64 of them share a scale, mean + unit·e4m3, one byte each; mean and unit are of the row and
// stand before it (f32.wgsl says what a module is).
@group(0) @binding(3) var<storage, read> w: array<u32>;

const CODES: u32 = (K4 + 1u) / 2u;
const SCALES: u32 = (K4 + 63u) / 64u;

struct WeightRow { codes: u32, scales: u32, mean: f32, unit: f32 }

fn weight_row(row: u32) -> WeightRow {
  let at = row * (2u + SCALES + CODES);
  return WeightRow(at + 2u + SCALES, at + 2u, bitcast<f32>(w[at]), bitcast<f32>(w[at + 1u]));
}

// A tree of selections: an array indexed at run time would be copied into memory for every lookup.
fn nf4_levels(codes: vec4<u32>) -> vec4<f32> {
  let a = (codes & vec4<u32>(1u)) != vec4<u32>();
  let b = (codes & vec4<u32>(2u)) != vec4<u32>();
  let c = (codes & vec4<u32>(4u)) != vec4<u32>();
  let d = (codes & vec4<u32>(8u)) != vec4<u32>();
  let l0 = select(vec4<f32>(-1.0), vec4<f32>(-0.6961928009986877), a);
  let l1 = select(vec4<f32>(-0.5250730514526367), vec4<f32>(-0.39491748809814453), a);
  let l2 = select(vec4<f32>(-0.28444138169288635), vec4<f32>(-0.18477343022823334), a);
  let l3 = select(vec4<f32>(-0.09105003625154495), vec4<f32>(), a);
  let l4 = select(vec4<f32>(0.07958029955625534), vec4<f32>(0.16093020141124725), a);
  let l5 = select(vec4<f32>(0.24611230194568634), vec4<f32>(0.33791524171829224), a);
  let l6 = select(vec4<f32>(0.44070982933044434), vec4<f32>(0.5626170039176941), a);
  let l7 = select(vec4<f32>(0.7229568362236023), vec4<f32>(1.0), a);
  return select(select(select(l0, l1, b), select(l2, l3, b), c), select(select(l4, l5, b), select(l6, l7, b), c), d);
}

// e4m3 is a half without the lowest bits and with another bias.
fn e4m3(byte: u32) -> f32 {
  return unpack2x16float(((byte & 0x80u) << 8u) | ((byte & 0x7fu) << 7u)).x * 256.0;
}

fn load_w4(row: WeightRow, k4: u32) -> vec4<f32> {
  let word = w[row.codes + k4 / 2u] >> (k4 % 2u * 16u);
  let codes = (vec4<u32>(word) >> vec4<u32>(0u, 4u, 8u, 12u)) & vec4<u32>(15u);
  let byte = w[row.scales + k4 / 64u] >> (k4 / 16u % 4u * 8u);
  return nf4_levels(codes) * (row.mean + row.unit * e4m3(byte & 0xffu));
}
