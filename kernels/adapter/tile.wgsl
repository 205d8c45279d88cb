// A tall, narrow product in registers: a workgroup computes ROWS rows of the result, an invocation four columns of them at
// a time, and SLICES neighbours share its reduction. Unrolled by hand, because an array indexed by a loop counter lives in
// memory.
const ROWS: u32 = 16u; // @param rows of a workgroup: 4 or 16
const ACROSS: u32 = 8u; // @param blocks of four columns side by side
const SLICES: u32 = 1u; // @param invocations that share a reduction: 1, or 4 and more
const LANES = ACROSS * SLICES;

// In a loop written `var acc = Sums()`: SwiftShader does not clear one that is only declared.
alias Sums = array<vec4<f32>, 16>;
var<workgroup> handed: array<vec4<f32>, select(1u, 4u * LANES, SLICES > 1u)>;

// Adds four rows over their slices, in order, and hands the sums to `put`.
fn hand_over(lane: u32, row: u32, first_block: u32, v0: vec4<f32>, v1: vec4<f32>, v2: vec4<f32>, v3: vec4<f32>) {
  if (SLICES == 1u) {
    let column = 4u * (first_block + lane);
    put(row, column, v0);
    put(row + 1u, column, v1);
    put(row + 2u, column, v2);
    put(row + 3u, column, v3);
    return;
  }
  handed[4u * lane] = v0;
  handed[4u * lane + 1u] = v1;
  handed[4u * lane + 2u] = v2;
  handed[4u * lane + 3u] = v3;
  workgroupBarrier();
  if (lane < 4u * ACROSS) {
    let block = lane / 4u;
    var sum = vec4<f32>();
    for (var slice = 0u; slice < SLICES; slice++) { sum += handed[4u * (block * SLICES + slice) + lane % 4u]; }
    put(row + lane % 4u, 4u * (first_block + block), sum);
  }
  workgroupBarrier();
}

fn hand_over_all(lane: u32, row: u32, first_block: u32, acc: ptr<function, Sums>) {
  hand_over(lane, row, first_block, (*acc)[0], (*acc)[1], (*acc)[2], (*acc)[3]);
  if (ROWS > 4u) {
    hand_over(lane, row + 4u, first_block, (*acc)[4], (*acc)[5], (*acc)[6], (*acc)[7]);
    hand_over(lane, row + 8u, first_block, (*acc)[8], (*acc)[9], (*acc)[10], (*acc)[11]);
    hand_over(lane, row + 12u, first_block, (*acc)[12], (*acc)[13], (*acc)[14], (*acc)[15]);
  }
}
