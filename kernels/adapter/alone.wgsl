// Every invocation loads all rows that it works on. Stands in for adapter/quads.wgsl.
const SHARE = 1u;

// acc[row] += w · row for the row that `own` is.
fn add_row(acc: ptr<function, Sums>, i: u32, own: vec4<f32>, w: mat4x4<f32>) { (*acc)[i][0] += own * w; }
