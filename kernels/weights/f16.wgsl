// IEEE half precision, two to a word; unpacking is exact and needs no `shader-f16` (f32.wgsl says what a module is).
@group(0) @binding(3) var<storage, read> w: array<vec2<u32>>;

struct WeightRow { at: u32 }

fn weight_row(row: u32) -> WeightRow {
  return WeightRow(row * K4);
}

fn load_w4(row: WeightRow, k4: u32) -> vec4<f32> {
  let words = w[row.at + k4];
  return vec4<f32>(unpack2x16float(words.x), unpack2x16float(words.y));
}
