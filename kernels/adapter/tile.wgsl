// A tall, narrow product in registers: a workgroup computes ROWS rows of the result, an invocation four columns of them at
// a time, SLICES neighbours share its reduction, or SHARE the rows they load.
const ROWS: u32 = 16u; // @param rows of a workgroup: 4 or 16
const ACROSS: u32 = 8u; // @param blocks of four columns side by side
const SLICES: u32 = 1u; // @param invocations that share a reduction: 1, or 4 and more
const LANES = ACROSS * SLICES;
const OWN_ROWS = ROWS / SHARE;

// In a loop written `var acc = Sums()`: SwiftShader does not clear one that is only declared.
alias Sums = array<array<vec4<f32>, SHARE>, OWN_ROWS>;
const FOURS = OWN_ROWS / 4u;
var<workgroup> handed: array<vec4<f32>, select(1u, 4u * LANES, SLICES > 1u)>;

// Row of `first` and up that this invocation loads as its number i.
fn own_row(first: u32, lane: u32, i: u32) -> u32 { return first + SHARE * i + lane % SHARE; }

// Adds four rows over their slices, in order, and hands the sums to `put`.
fn hand_over(lane: u32, row: u32, first_column: u32, end: u32, v0: vec4<f32>, v1: vec4<f32>, v2: vec4<f32>, v3: vec4<f32>) {
  handed[4u * lane] = v0;
  handed[4u * lane + 1u] = v1;
  handed[4u * lane + 2u] = v2;
  handed[4u * lane + 3u] = v3;
  workgroupBarrier();
  let column = first_column + lane / 4u * 4u;
  if (lane < 4u * ACROSS && column < end) {
    var sum = vec4<f32>();
    for (var slice = 0u; slice < SLICES; slice++) { sum += handed[4u * (lane / 4u * SLICES + slice) + lane % 4u]; }
    put(row + lane % 4u, column, sum);
  }
  workgroupBarrier();
}

// The workgroup's columns are [first_column, end), four an invocation.
fn hand_over_all(lane: u32, row: u32, first_column: u32, end: u32, acc: ptr<function, Sums>) {
  if (SLICES == 1u) {
    let column = first_column + 4u * lane;
    if (column < end) {
      for (var i = 0u; i < OWN_ROWS; i++) { // @unroll
        for (var j = 0u; j < SHARE; j++) { // @unroll
          put(row + SHARE * i + (j ^ (lane % SHARE)), column, (*acc)[i][j]);
        }
      }
    }
    return;
  }
  for (var i = 0u; i < FOURS; i++) { // @unroll
    hand_over(lane, row + 4u * i, first_column, end, (*acc)[4u * i][0], (*acc)[4u * i + 1u][0], (*acc)[4u * i + 2u][0], (*acc)[4u * i + 3u][0]);
  }
}
