// Four neighbours load a row of x each and hand it over (quad_tile.wgsl). They run over the same steps, which no analysis of
// the text can see.
diagnostic(off, subgroup_uniformity);
enable subgroups;

fn place(lane: u32, i: u32) -> u32 { return i ^ (lane % 4u); }

// sums[i] += row `place(i)` of four · m, four steps of the reduction.
fn add_rows(sums: ptr<function, Sums>, lane: u32, row: u32, several: bool, k: u32, m: mat4x4<f32>) {
  let own = x[(row + lane % 4u) * K4 + k];
  (*sums)[0] += own * m;
  (*sums)[1] += quadSwapX(own) * m;
  (*sums)[2] += quadSwapY(own) * m;
  (*sums)[3] += quadSwapDiagonal(own) * m;
}
