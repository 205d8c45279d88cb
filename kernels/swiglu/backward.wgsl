// Gradient of swiglu.forward: with σ = σ(v), dgate = dy·up·σ·(1 + gate·(1 − σ)·v′) and dup = dy·gate·σ, which one
// invocation computes together; the others write the zeros between and after.
const WIDTH: u32 = 64u; // @param
const LD_IN: u32 = 128u; // @param
const UP_COLUMN: u32 = 64u; // @param
const LD_OUT: u32 = 64u; // @param

@group(0) @binding(1) var<storage, read> gate_up: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> dy: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> dgate_up: array<vec4<f32>>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  if (id.x >= LD_IN / 4u || id.y >= frame.tokens) { return; }
  const used = (WIDTH + 3u) / 4u;
  const up_start = UP_COLUMN / 4u;
  let start = id.y * (LD_IN / 4u);
  if (id.x < used) {
    let gate = gate_up[start + id.x];
    let up = gate_up[start + up_start + id.x];
    let d = dy[id.y * (LD_OUT / 4u) + id.x];
    let v = inner(gate);
    let s = sigmoid(v);
    let rest = sigmoid(-v) * inner_slope(gate);
    dgate_up[start + id.x] = d * up * s * (1.0 + gate * rest);
    dgate_up[start + up_start + id.x] = d * gate * s;
  } else if (id.x < up_start || id.x >= up_start + used) {
    dgate_up[start + id.x] = vec4<f32>();
  }
}
