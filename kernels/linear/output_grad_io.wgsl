// Bindings and parameters that both variants of linear.output_grad share, the gradient of s:
//   h[t, SEG_S[m] + r] = Σ_{n in segment m} dy[t, n]·b_m[n − SEG_COLUMN[m], r]
// Columns of h in no segment become zeros.
const LD_DY: u32 = 64u; // @param
const LD_S: u32 = 16u; // @param
const SEGMENTS: u32 = 1u; // @param length of SEG_S
const SEG_COLUMN: array<u32, 2> = array<u32, 2>(0u, 64u); // @param first column in dy, multiples of 8; then their end
const SEG_S: array<u32, 1> = array<u32, 1>(0u); // @param first column in h, multiple of 4
const SEG_RANK: array<u32, 1> = array<u32, 1>(16u); // @param multiple of 4
const SEG_B: array<u32, 1> = array<u32, 1>(0u); // @param first float in b, multiple of 4

@group(0) @binding(1) var<storage, read> dy: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> b: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> h: array<vec4<f32>>;

const DY4: u32 = LD_DY / 4u;
const S4: u32 = LD_S / 4u;
// Does not compile when SEGMENTS is wrong.
const CHECKED_S: array<u32, SEGMENTS> = SEG_S;
