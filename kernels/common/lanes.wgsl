// Sums over the LANES invocations of a workgroup (16, or a larger multiple of 16; the kernel declares it), in an order
// that never changes. Few barriers: on a software GPU one costs about 0.6 µs for every 4 lanes, so kernels also size
// their workgroups by the work.
var<workgroup> lane_values: array<vec2<f32>, LANES>;
var<workgroup> lane_groups: array<vec2<f32>, 16>;

// Every lane gets both sums. To call it again, put a workgroupBarrier() between.
fn sum_of_lanes(lane: u32, values: vec2<f32>) -> vec2<f32> {
  lane_values[lane] = values;
  workgroupBarrier();
  var sum = vec2<f32>();
  if (LANES == 16u) {
    for (var i = 0u; i < 16u; i++) { // @unroll
      sum += lane_values[i];
    }
    return sum;
  }
  if (lane < 16u) {
    for (var i = lane; i < LANES; i += 16u) { sum += lane_values[i]; }
    lane_groups[lane] = sum;
  }
  workgroupBarrier();
  sum = vec2<f32>();
  for (var i = 0u; i < 16u; i++) { // @unroll
    sum += lane_groups[i];
  }
  return sum;
}
