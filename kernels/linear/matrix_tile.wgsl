// Products on matrix units: a workgroup of four subgroups of 32 computes 128 × 128 outputs, a subgroup 64 × 64 of them as
// 4 × 4 matrices, with DEPTH steps of the reduction at a time in workgroup memory (16 KiB for 16, 24 KiB for 32). Rows there
// are 8 apart from what they hold, against bank conflicts. Matrices have no elements to get at: sums leave by `results`.
const DEPTH: u32 = 16u; // @param 16 or 32
const SIDE: u32 = 128u;
const PITCH: u32 = DEPTH + 8u;
const WIDE_PITCH: u32 = SIDE + 8u;

alias Sums = array<Sum, 16>;

fn add_row_of(sums: ptr<function, Sums>, first: u32, l: Left, r0: Right, r1: Right, r2: Right, r3: Right) {
  (*sums)[first] = multiply_add(l, r0, (*sums)[first]);
  (*sums)[first + 1u] = multiply_add(l, r1, (*sums)[first + 1u]);
  (*sums)[first + 2u] = multiply_add(l, r2, (*sums)[first + 2u]);
  (*sums)[first + 3u] = multiply_add(l, r3, (*sums)[first + 3u]);
}

// Adds the staged steps; `top` and `edge` are the first row and column of the subgroup.
fn multiply(sums: ptr<function, Sums>, top: u32, edge: u32) {
  for (var k = 0u; k < DEPTH; k += 16u) {
    let r0 = load_right(k, edge);
    let r1 = load_right(k, edge + 16u);
    let r2 = load_right(k, edge + 32u);
    let r3 = load_right(k, edge + 48u);
    add_row_of(sums, 0u, load_left(top * PITCH + k), r0, r1, r2, r3);
    add_row_of(sums, 4u, load_left((top + 16u) * PITCH + k), r0, r1, r2, r3);
    add_row_of(sums, 8u, load_left((top + 32u) * PITCH + k), r0, r1, r2, r3);
    add_row_of(sums, 12u, load_left((top + 48u) * PITCH + k), r0, r1, r2, r3);
  }
}

// Hands one 16 × 16 of every subgroup to `put`, eight neighbours an invocation.
fn hand_over(sum: Sum, lane: u32, row: u32, column: u32) {
  let own = lane / 32u * 256u;
  store_sum(own, sum);
  workgroupBarrier();
  let at = own + lane % 32u * 8u;
  let r = row + lane % 32u / 2u;
  let c = column + lane % 2u * 8u;
  put(r, c, vec4<f32>(results[at], results[at + 1u], results[at + 2u], results[at + 3u]));
  put(r, c + 4u, vec4<f32>(results[at + 4u], results[at + 5u], results[at + 6u], results[at + 7u]));
  workgroupBarrier();
}

fn hand_over_all(sums: ptr<function, Sums>, lane: u32, top: u32, edge: u32) {
  hand_over((*sums)[0], lane, top, edge);
  hand_over((*sums)[1], lane, top, edge + 16u);
  hand_over((*sums)[2], lane, top, edge + 32u);
  hand_over((*sums)[3], lane, top, edge + 48u);
  hand_over((*sums)[4], lane, top + 16u, edge);
  hand_over((*sums)[5], lane, top + 16u, edge + 16u);
  hand_over((*sums)[6], lane, top + 16u, edge + 32u);
  hand_over((*sums)[7], lane, top + 16u, edge + 48u);
  hand_over((*sums)[8], lane, top + 32u, edge);
  hand_over((*sums)[9], lane, top + 32u, edge + 16u);
  hand_over((*sums)[10], lane, top + 32u, edge + 32u);
  hand_over((*sums)[11], lane, top + 32u, edge + 48u);
  hand_over((*sums)[12], lane, top + 48u, edge);
  hand_over((*sums)[13], lane, top + 48u, edge + 16u);
  hand_over((*sums)[14], lane, top + 48u, edge + 32u);
  hand_over((*sums)[15], lane, top + 48u, edge + 48u);
}
