// Four columns of each of four tokens, which every invocation loads for itself. Stands in for adapter/grads_quads.wgsl.
const SHARE = 1u;

fn four_of_s(lane: u32, t: u32, column: u32) -> mat4x4<f32> {
  return mat4x4<f32>(s_of(t, column), s_of(t + 1u, column), s_of(t + 2u, column), s_of(t + 3u, column));
}
fn four_of_dz(lane: u32, t: u32, column: u32) -> mat4x4<f32> {
  return mat4x4<f32>(dz_of(t, column), dz_of(t + 1u, column), dz_of(t + 2u, column), dz_of(t + 3u, column));
}
