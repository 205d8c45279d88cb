// Ranges of rows that the attention kernels run over, four rows at a time. Small heads take two tokens an invocation, so
// that a loaded row serves both: loads are what a software GPU spends its time on (measured: 1.4 to 2 times faster).
// Larger heads would not fit the registers of a real one.
const PAIRED = HEAD_SIZE <= 32u;
const TOKENS = select(1u, 2u, PAIRED);
const QUADS = HEAD_SIZE / 4u;
// Length of what only the second token needs.
const QUADS_B = select(1u, QUADS, PAIRED);

// Two ranges that overlap or touch are run over together, others one after the other.
fn is_joined(a: vec2<u32>, b: vec2<u32>) -> bool { return max(a.x, b.x) <= min(a.y, b.y); }

fn range_of_pass(a: vec2<u32>, b: vec2<u32>, joined: bool, pass_: u32) -> vec2<u32> {
  if (joined) { return vec2<u32>(min(a.x, b.x), max(a.y, b.y)); }
  return select(b, a, pass_ == 0u);
}

fn inside(range: vec2<u32>, rows: vec4<u32>, active_: bool) -> vec4<bool> {
  return (rows >= vec4<u32>(range.x)) & (rows < vec4<u32>(range.y)) & vec4<bool>(active_);
}

fn largest(v: vec4<f32>) -> f32 { return max(max(v.x, v.y), max(v.z, v.w)); }
fn sum4(v: vec4<f32>) -> f32 { return (v.x + v.y) + (v.z + v.w); }
