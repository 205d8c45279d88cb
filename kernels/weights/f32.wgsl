// Frozen weights as they are. The modules in this folder stand in for one another: each declares `w` at binding 3 and
// says where a row begins (`weight_row`) and what four neighbours of it are (`load_w4`, columns 4·k4 and up). A matrix
// has 4·K4 columns; K4 is declared by the kernel. Layouts: compiler/plan/storage.ts, which packs by them.
@group(0) @binding(3) var<storage, read> w: array<vec4<f32>>;

struct WeightRow { at: u32 }

fn weight_row(row: u32) -> WeightRow {
  return WeightRow(row * K4);
}

fn load_w4(row: WeightRow, k4: u32) -> vec4<f32> {
  return w[row.at + k4];
}
