// Codes of four bits, eight to a word, then one word for every 64 of them: where code 0 lies and the step from code to
// code, as two halves (f32.wgsl says what a module is).
@group(0) @binding(3) var<storage, read> w: array<u32>;

const CODES: u32 = (K4 + 1u) / 2u;
const GROUPS: u32 = (K4 + 15u) / 16u;

struct WeightRow { at: u32 }

fn weight_row(row: u32) -> WeightRow {
  return WeightRow(row * (CODES + GROUPS));
}

fn load_w4(row: WeightRow, k4: u32) -> vec4<f32> {
  let word = w[row.at + k4 / 2u] >> (k4 % 2u * 16u);
  let codes = (vec4<u32>(word) >> vec4<u32>(0u, 4u, 8u, 12u)) & vec4<u32>(15u);
  let line = unpack2x16float(w[row.at + CODES + k4 / 16u]);
  return line.x + line.y * vec4<f32>(codes);
}
