// Four columns of each of four tokens, of which every one of four neighbours loads one: number i is token i ^ lane % 4.
diagnostic(off, subgroup_uniformity);
enable subgroups;

const SHARE = 4u;

fn four_of_s(lane: u32, t: u32, column: u32) -> mat4x4<f32> { return hand_around(s_of(t + lane % 4u, column)); }
fn four_of_dz(lane: u32, t: u32, column: u32) -> mat4x4<f32> { return hand_around(dz_of(t + lane % 4u, column)); }

fn hand_around(own: vec4<f32>) -> mat4x4<f32> {
  return mat4x4<f32>(own, quadSwapX(own), quadSwapY(own), quadSwapDiagonal(own));
}
