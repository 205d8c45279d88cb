// Four neighbours load a row each and hand it over (see linear/quad_tile.wgsl). What they run over must be the same for all
// four, which no analysis of the text can see.
diagnostic(off, subgroup_uniformity);
enable subgroups;

const SHARE = 4u;

// acc[row] += w · row for four rows, of which `own` is number lane % 4; place j belongs to row j ^ lane % 4.
fn add_row(acc: ptr<function, Sums>, i: u32, own: vec4<f32>, w: mat4x4<f32>) {
  (*acc)[i][0] += own * w;
  (*acc)[i][1] += quadSwapX(own) * w;
  (*acc)[i][2] += quadSwapY(own) * w;
  (*acc)[i][3] += quadSwapDiagonal(own) * w;
}
