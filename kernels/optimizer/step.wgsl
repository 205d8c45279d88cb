// One optimiser step over the flat parameter buffer, four floats an invocation. Every block of 16 floats belongs to a
// group, a row of 12 floats: 0 lr, 1 weight decay, 2 beta1, 3 beta2, 4 eps, 5 1/(1 − beta1^t), 6 1/(1 − beta2^t) (both
// computed by the host in f64), 7 and 8 the range of the parameter after the step, 9 kind (0 frozen, 1 AdamW as in torch,
// Loshchilov and Hutter, arXiv 1711.05101, 2 SGD). Gradients are multiplied by control[1]. Nothing is
// touched, moments included, when a gradient was unusable or the norm is not finite.
const COUNT: u32 = 64u; // @param
const FROZEN = 0.0;
const ADAMW = 1.0;

@group(0) @binding(1) var<storage, read_write> params: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> grads: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> moment1: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> moment2: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read> group_of_block: array<u32>;
@group(0) @binding(6) var<storage, read> groups: array<vec4<f32>>;
@group(0) @binding(7) var<storage, read> control: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>,
        @builtin(local_invocation_index) lane: u32) {
  // A grid wider than the limit of 65,535 may be folded into two dimensions.
  let i = (workgroup.y * workgroups.x + workgroup.x) * 64u + lane;
  if (i >= COUNT / 4u) { return; }
  let norm_exponent = (bitcast<u32>(control[0]) >> 23u) & 255u;
  if (control[2] > 0.0 || norm_exponent == 255u) { return; }
  let group = group_of_block[i / 4u] * 3u;
  let a = groups[group];
  let b = groups[group + 1u];
  let c = groups[group + 2u];
  let lr = a.x;
  let kind = c.y;
  if (kind == FROZEN) { return; }

  let g = grads[i] * control[1];
  var p = params[i];
  p -= lr * a.y * p;
  if (kind == ADAMW) {
    let m = a.z * moment1[i] + (1.0 - a.z) * g;
    let v = a.w * moment2[i] + (1.0 - a.w) * g * g;
    moment1[i] = m;
    moment2[i] = v;
    // WGSL's sqrt(0) inherits a division by zero; the floor is far below any eps.
    p -= lr * (m * b.y) / (sqrt(max(v * b.z, vec4<f32>(1e-36))) + b.x);
  } else {
    p -= lr * g;
  }
  params[i] = clamp(p, vec4<f32>(b.w), vec4<f32>(c.x));
}
