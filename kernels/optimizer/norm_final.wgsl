// Second half of the gradient norm, one workgroup: control = (norm, factor for every gradient, number of unusable
// gradients, 0). The factor clips as torch.nn.utils.clip_grad_norm_ does, and undoes a scale of the loss: while the
// optimiser runs, frame.loss_scale is one over that scale, and the norm is that of the gradients without it.
const PARTIALS: u32 = 1u; // @param
const MAX_NORM: f32 = 1.0f; // @param
const LANES = 64u;

@group(0) @binding(1) var<storage, read> partial: array<vec2<f32>>;
@group(0) @binding(2) var<storage, read_write> control: array<f32>;

@compute @workgroup_size(LANES)
fn main(@builtin(local_invocation_index) lane: u32) {
  var sum = vec2<f32>();
  for (var i = lane; i < PARTIALS; i += LANES) { sum += partial[i]; }
  let sums = sum_of_lanes(lane, sum);
  if (lane == 0u) {
    // WGSL's sqrt(0) inherits a division by zero.
    let norm = select(0.0, sqrt(sums.x), sums.x > 0.0) * frame.loss_scale;
    control[0] = norm;
    control[1] = select(1.0, min(1.0, MAX_NORM / (norm + 1e-6)), MAX_NORM > 0.0) * frame.loss_scale;
    control[2] = sums.y;
    control[3] = 0.0;
  }
}
