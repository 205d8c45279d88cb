// What differs between two dispatches of one specialised kernel: `index` keys the random numbers of a place in the
// model; `row_start` and `row_limit` select a chunk of rows (0 and 0xffffffff: all of them).
struct Site { index: u32, row_start: u32, row_limit: u32, pad: u32 }
@group(0) @binding(1) var<uniform> site: Site;
