// The uniform every kernel gets at binding 0; fields and units: kernels/spec.ts, FRAME_FIELDS.
struct Frame {
  tokens: u32, targets: u32, rows: u32, seed: u32,
  step: u32, micro: u32, training: u32, loss_scale: f32,
  aux_scale: f32, pad0: u32, pad1: u32, pad2: u32,
}
@group(0) @binding(0) var<uniform> frame: Frame;
