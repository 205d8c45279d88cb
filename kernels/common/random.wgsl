// Counter-based random numbers: the same (seed, step, micro, site, row, column) gives the same four words on every
// device, so a mask is recomputed where it is needed instead of being stored.
// pcg4d: Jarzynski and Olano, "Hash Functions for GPU Rendering", JCGT 9(3), 2020.
fn pcg4d(counter: vec4<u32>) -> vec4<u32> {
  var v = counter * 1664525u + 1013904223u;
  v.x += v.y * v.w; v.y += v.z * v.x; v.z += v.x * v.y; v.w += v.y * v.z;
  v ^= v >> vec4<u32>(16u);
  v.x += v.y * v.w; v.y += v.z * v.x; v.z += v.x * v.y; v.w += v.y * v.z;
  return v;
}

fn random4(site: u32, row: u32, column: u32) -> vec4<u32> {
  let key = pcg4d(vec4<u32>(frame.seed, frame.step, frame.micro, site));
  return pcg4d(vec4<u32>(key.x ^ row, key.y ^ column, key.z, key.w));
}
