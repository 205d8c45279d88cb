// All that the adapters on one input do with a token before the frozen product: z = drop(x)·Aᵀ, routers beneath, ‖x‖²,
// then gates, gains and s (gains/forward.wgsl). A workgroup takes ROWS tokens from one to the other.
const LD_X: u32 = 64u; // @param
const NEEDS_RADIUS: bool = true; // @param some expert is curved

@group(0) @binding(2) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> a: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read> geometry: array<f32>;
@group(0) @binding(5) var<storage, read> gram: array<f32>;
@group(0) @binding(6) var<storage, read> slot_scale: array<f32>;
@group(0) @binding(7) var<storage, read> row_of: array<u32>;
@group(0) @binding(8) var<storage, read_write> inner: array<f32>;
@group(0) @binding(9) var<storage, read_write> routing: array<f32>;

const K4: u32 = LD_X / 4u;

fn put(row: u32, column: u32, value: vec4<f32>) {
  if (row >= frame.tokens) { return; }
  let at = row * LD_INNER + column;
  inner[at] = value.x;
  inner[at + 1u] = value.y;
  inner[at + 2u] = value.z;
  inner[at + 3u] = value.w;
}

fn x_at(d: Dropper, row: u32, k: u32) -> vec4<f32> {
  var value = x[row * K4 + k];
  if (DROPOUT != 0u) { value = dropped(d, value, row, k); }
  return value;
}

fn project(lane: u32, first: u32) {
  let drop = dropper();
  for (var first_column = 0u; first_column < LD_Z; first_column += 4u * ACROSS) {
    let n = min(first_column + lane / SLICES * 4u, LD_Z - 4u);
    var acc = Sums();
    for (var k = lane % SLICES; k < K4; k += SLICES) {
      let w = mat4x4<f32>(a[n * K4 + k], a[(n + 1u) * K4 + k], a[(n + 2u) * K4 + k], a[(n + 3u) * K4 + k]);
      for (var i = 0u; i < OWN_ROWS; i++) { // @unroll
        add_row(&acc, i, x_at(drop, own_row(first, lane, i), k), w);
      }
    }
    hand_over_all(lane, first, first_column, LD_Z, &acc);
  }
}

// ‖x‖² is taken without dropout. PARTS neighbours share a row.
const PARTS = max(LANES / ROWS, 1u);
var<workgroup> squares: array<f32, LANES>;

fn measure(lane: u32, first: u32) {
  for (var i = 0u; i < ROWS; i += LANES / PARTS) {
    let row = first + i + lane / PARTS;
    var sum = vec4<f32>();
    for (var k = lane % PARTS; k < select(0u, K4, NEEDS_RADIUS && row < frame.tokens); k += PARTS) {
      let v = x[row * K4 + k];
      sum += v * v;
    }
    var square = (sum.x + sum.y) + (sum.z + sum.w);
    if (PARTS > 1u) {
      squares[lane] = square;
      workgroupBarrier();
      square = 0.0;
      for (var part = 0u; part < PARTS; part++) { square += squares[lane / PARTS * PARTS + part]; }
      workgroupBarrier();
    }
    if (lane % PARTS == 0u && row < min(frame.tokens, first + ROWS)) {
      inner[row * LD_INNER + RADIUS_COLUMN] = square;
      for (var c = RADIUS_COLUMN + 1u; c < LD_INNER; c++) { inner[row * LD_INNER + c] = 0.0; }
    }
  }
}

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let first = group.x * ROWS;
  if (first >= frame.tokens) { return; }
  project(lane, first);
  measure(lane, first);
  storageBarrier();
  let here = min(frame.tokens - first, ROWS);
  for (var i = lane; i < here * ADAPTERS; i += LANES) { gains_forward(first + i % here, i / here); }
}
