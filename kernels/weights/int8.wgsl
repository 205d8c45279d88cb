// Signed bytes, four to a word, then one f32 scale for every 64 of them (f32.wgsl says what a module is).
@group(0) @binding(3) var<storage, read> w: array<u32>;

const SCALES: u32 = (K4 + 15u) / 16u;

struct WeightRow { at: u32 }

fn weight_row(row: u32) -> WeightRow {
  return WeightRow(row * (K4 + SCALES));
}

fn load_w4(row: WeightRow, k4: u32) -> vec4<f32> {
  let codes = bitcast<vec4<i32>>(vec4<u32>(w[row.at + k4]) << vec4<u32>(24u, 16u, 8u, 0u)) >> vec4<u32>(24u);
  return vec4<f32>(codes) * bitcast<f32>(w[row.at + K4 + k4 / 16u]);
}
