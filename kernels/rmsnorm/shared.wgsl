// A workgroup for each row, four quads a lane as far as that goes.
const LANES = clamp((LD / 64u + 15u) / 16u * 16u, 16u, 128u);
const ROWS = 1u;

fn sum_of_row(lane: u32, value: f32) -> f32 { return sum_of_lanes(lane, vec2<f32>(value, 0.0)).x; }
