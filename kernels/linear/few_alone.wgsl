// Every invocation loads all rows of x. Stands in for linear/few_quads.wgsl.
fn place(lane: u32, i: u32) -> u32 { return i; }

// sums[i] += row `place(i)` of four · m, four steps of the reduction.
fn add_rows(sums: ptr<function, Sums>, lane: u32, row: u32, several: bool, k: u32, m: mat4x4<f32>) {
  (*sums)[0] += x[row * K4 + k] * m;
  if (several) {
    (*sums)[1] += x[(row + 1u) * K4 + k] * m;
    (*sums)[2] += x[(row + 2u) * K4 + k] * m;
    (*sums)[3] += x[(row + 3u) * K4 + k] * m;
  }
}
