// Sums over tokens of what gains.backward wrote per token, in an order that never changes; one workgroup per result:
//   x = e             C_e = Σ_t dn z zᵀ, overwriting gram_grad (then dB += 2BC, gram.backward); dθ and dlogσ add up
//   x = EXPERTS + i   gradient of adapter i's router on rank space, Σ_t dℓ zᵀ, adds up
@group(0) @binding(1) var<storage, read> z: array<f32>;
@group(0) @binding(2) var<storage, read> dz: array<f32>;
@group(0) @binding(3) var<storage, read_write> gram_grad: array<f32>;
@group(0) @binding(4) var<storage, read_write> geometry_grad: array<f32>;

const DN_COLUMN = EXTRA_COLUMN + ADAPTERS;
const DTHETA_COLUMN = DN_COLUMN + EXPERTS;
const DLOG_SIGMA_COLUMN = DTHETA_COLUMN + EXPERTS;
const DLOGIT_COLUMN = DLOG_SIGMA_COLUMN + EXPERTS;

const LANES = 256u;
var<workgroup> partial: array<vec4<f32>, LANES>;

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let e = group.x;
  if (e < EXPERTS) {
    let rank = RANK[e];
    if (SPACE[e] == 0u) {
      for (var i = lane; i < rank * rank; i += LANES) { gram_grad[GRAM_OFFSET[e] + i] = 0.0; }
      return;
    }
    outer_sum(lane, true, rank, DN_COLUMN + e, e, GRAM_OFFSET[e], rank);
    if (CURVATURE_KIND[e] != 0u || LEARN_SCALE[e] != 0u) { parameter_sums(lane, e); }
  } else if (e < EXPERTS + ADAPTERS) {
    let adapter = e - EXPERTS;
    if (ON_RANK[adapter] == 0u) { return; }
    let start = EXPERT_START[adapter];
    let end = EXPERT_START[adapter + 1u];
    var stride = 0u;
    for (var f = start; f < end; f++) { stride += RANK[f]; }
    var out = ROUTER_OFFSET[adapter];
    for (var f = start; f < end; f++) {
      outer_sum(lane, false, end - start, DLOGIT_COLUMN + start, f, out, stride);
      out += RANK[f];
    }
  }
}

// out[i, j] = Σ_t weight_i(t)·z_f[t, j] for i < rows, four j per lane, lanes beyond that over slices of the tokens.
// quadratic: weight_i = dz[t, column]·z_f[t, i], into gram_grad; else weight_i = dz[t, column + i], onto geometry_grad.
fn outer_sum(lane: u32, quadratic: bool, rows: u32, column: u32, f: u32, out: u32, stride: u32) {
  let rank = RANK[f];
  let blocks = (rank + 3u) / 4u;
  let items = rows * blocks;
  let together = min(items, LANES);
  let slices = LANES / together;
  let slice = lane / together;
  for (var first = 0u; first < items; first += LANES) {
    let item = first + lane % together;
    let i = item / blocks;
    let j = 4u * (item % blocks);
    let busy = item < items && slice < slices;
    var sum = vec4<f32>();
    if (busy) {
      for (var t = slice; t < frame.tokens; t += slices) {
        let row = t * LD_Z + Z_COLUMN[f];
        var weight = 0.0;
        if (quadratic) {
          weight = dz[t * LD_DZ + column] * z[row + i];
        } else {
          weight = dz[t * LD_DZ + column + i];
        }
        // Past the rank stand other columns; those sums are dropped below.
        sum += weight * vec4<f32>(z[row + j], z[row + j + 1u], z[row + j + 2u], z[row + j + 3u]);
      }
    }
    partial[lane] = sum;
    workgroupBarrier();
    if (busy && slice == 0u) {
      for (var k = 1u; k < slices; k++) { sum += partial[lane + k * together]; }
      for (var c = 0u; c < min(4u, rank - j); c++) {
        let at = out + i * stride + j + c;
        if (quadratic) { gram_grad[at] = sum[c]; } else { geometry_grad[at] += sum[c]; }
      }
    }
    workgroupBarrier();
  }
}

fn parameter_sums(lane: u32, e: u32) {
  var sum = vec2<f32>();
  for (var t = lane; t < frame.tokens; t += LANES) {
    let row = t * LD_DZ;
    sum += vec2<f32>(dz[row + DTHETA_COLUMN + e], dz[row + DLOG_SIGMA_COLUMN + e]);
  }
  partial[lane] = vec4<f32>(sum, 0.0, 0.0);
  workgroupBarrier();
  if (lane < 16u) {
    sum = vec2<f32>();
    for (var k = 0u; k < 16u; k++) { sum += partial[16u * lane + k].xy; }
    partial[16u * lane] = vec4<f32>(sum, 0.0, 0.0);
  }
  workgroupBarrier();
  if (lane == 0u) {
    for (var k = 1u; k < 16u; k++) { sum += partial[16u * k].xy; }
    if (CURVATURE_KIND[e] != 0u) { geometry_grad[PARAM_OFFSET[e]] += sum.x; }
    if (LEARN_SCALE[e] != 0u) { geometry_grad[PARAM_OFFSET[e] + LOG_SIGMA] += sum.y; }
  }
}
