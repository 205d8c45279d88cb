// bfloat16, two to a word: the upper half of an f32, so that unpacking is exact (f32.wgsl says what a module is).
@group(0) @binding(3) var<storage, read> w: array<vec2<u32>>;

struct WeightRow { at: u32 }

fn weight_row(row: u32) -> WeightRow {
  return WeightRow(row * K4);
}

fn load_w4(row: WeightRow, k4: u32) -> vec4<f32> {
  let words = w[row.at + k4].xxyy;
  return bitcast<vec4<f32>>(select(words & vec4<u32>(0xffff0000u), words << vec4<u32>(16u), vec4<bool>(true, false, true, false)));
}
