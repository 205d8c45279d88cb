// The modules of a stack. Module m owns columns [SEG_COLUMN[m], SEG_COLUMN[m + 1]) of dy, SEG_RANK[m] columns of z and s
// from SEG_S[m], and b_m, [columns, rank], from SEG_B[m].
const LD_DY: u32 = 64u; // @param
const SEGMENTS: u32 = 1u; // @param length of SEG_S
const SEG_COLUMN: array<u32, 2> = array<u32, 2>(0u, 64u); // @param multiples of 8
const SEG_S: array<u32, 1> = array<u32, 1>(0u); // @param multiple of 4
const SEG_RANK: array<u32, 1> = array<u32, 1>(16u); // @param multiple of 4
const SEG_B: array<u32, 1> = array<u32, 1>(0u); // @param in floats, multiple of 4

const DY4: u32 = LD_DY / 4u;
// Does not compile when SEGMENTS is wrong.
const CHECKED_S: array<u32, SEGMENTS> = SEG_S;
