// Attention where four neighbours share what they load. The lanes of a subgroup of exactly four run over the rows that any
// of them sees, four rows at a time: each loads one and hands it on, so that place i belongs to row i ^ lane. On SwiftShader
// a loaded vec4 costs as much as 48 multiplications, and handing one over less than four. For the same reason a lane serves
// TOKENS tokens (or keys), four apart, and in the loop over rows nothing is indexed by a variable. Before that loop it is:
// every load that is written out is a page of machine code, and takes its time to compile.
//
// All four run over the same rows, so what they exchange is uniform. No analysis of the text can see that.
diagnostic(off, subgroup_uniformity);
enable subgroups;

// Four are up to 1.2 times as fast, and take twice as long to compile.
const TOKENS: u32 = 2u;
const VALUES = TOKENS * QUADS;
// Tokens of a workgroup.
const BLOCK = 16u * TOKENS;

alias Ranges = array<vec2<u32>, TOKENS>;
// Zeros are written where one is declared in a loop: SwiftShader leaves the last turn's values in a variable without any.
alias Scores = array<vec4<f32>, TOKENS>;

fn hand_around(own: vec4<f32>) -> mat4x4<f32> {
  return mat4x4<f32>(own, quadSwapX(own), quadSwapY(own), quadSwapDiagonal(own));
}

fn quad_min(own: u32) -> u32 {
  let pair = min(own, quadSwapX(own));
  return min(pair, quadSwapY(pair));
}

// Rows from the first at or after `start` that some token of the quad sees to the end of the longest range around it; an
// empty range after the last. Rows that nobody sees are never read.
fn next_rows(ranges: Ranges, start: u32) -> vec2<u32> {
  var first = ~0u;
  for (var j = 0u; j < TOKENS; j++) { // @unroll
    let own = max(ranges[j].x, start);
    first = min(first, select(~0u, own, own < ranges[j].y));
  }
  first = quad_min(first);
  var end = 0u;
  for (var j = 0u; j < TOKENS; j++) { // @unroll
    end = max(end, select(0u, ranges[j].y, ranges[j].x <= first && first < ranges[j].y));
  }
  return vec2<u32>(first, ~quad_min(~end));
}

// What comes after four of them.
fn rows_after(ranges: Ranges, rows: vec2<u32>) -> vec2<u32> { return next_rows(ranges, min(rows.x + 4u, rows.y)); }

// The row that a lane loads. Past the end it is the first once more, which then weighs nothing.
fn own_row(lane: u32, rows: vec2<u32>) -> u32 { return select(rows.x, rows.x + lane, rows.x + lane < rows.y); }

// Of the four rows in their places, those that a token sees.
fn seen(lane: u32, rows: vec2<u32>, range: vec2<u32>) -> vec4<bool> {
  let row = rows.x + vec4<u32>(lane, lane ^ 1u, lane ^ 2u, lane ^ 3u);
  return (row >= vec4<u32>(range.x)) & (row < vec4<u32>(min(range.y, rows.y)));
}
