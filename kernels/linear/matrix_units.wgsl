// Matrix units through Dawn's experimental subgroup matrices: f16 in, f32 sums. Left operands are rows of `left`; right ones
// lie in `right` by columns (a column is a row of w, linear.forward) or by rows (linear.input_grad).
diagnostic(off, chromium.subgroup_matrix_uniformity);
enable f16;
enable subgroups;
enable chromium_experimental_subgroup_matrix;

alias Left = subgroup_matrix_left<f16, 16, 16>;
alias Right = subgroup_matrix_right<f16, 16, 16>;
alias Sum = subgroup_matrix_result<f32, 16, 16>;

var<workgroup> left: array<f16, SIDE * PITCH>;
var<workgroup> right: array<f16, SIDE * PITCH>;
var<workgroup> results: array<f32, 4 * 256>;

// What does not fit f16 becomes its largest number: Qwen2 has activations past it, and infinities would make NaN.
fn halves(v: vec4<f32>) -> vec4<f16> { return vec4<f16>(clamp(v, vec4<f32>(-65504.0), vec4<f32>(65504.0))); }

// Four neighbours from `at`, a multiple of 4.
fn stage_left(at: u32, v: vec4<f32>) { write_left(at, halves(v)); }

// Gradients are let overflow: a step that is not finite is skipped and the loss scaled less, a clamped one would be wrong.
fn stage_gradient(at: u32, v: vec4<f32>) { write_left(at, vec4<f16>(v)); }

fn write_left(at: u32, h: vec4<f16>) {
  left[at] = h.x; left[at + 1u] = h.y; left[at + 2u] = h.z; left[at + 3u] = h.w;
}

fn stage_right(at: u32, v: vec4<f32>) {
  let h = halves(v);
  right[at] = h.x; right[at + 1u] = h.y; right[at + 2u] = h.z; right[at + 3u] = h.w;
}

fn load_left(at: u32) -> Left { return subgroupMatrixLoad<Left, row_major>(&left, at, PITCH); }
fn load_right_columns(at: u32) -> Right { return subgroupMatrixLoad<Right, col_major>(&right, at, PITCH); }
fn load_right_rows(at: u32) -> Right { return subgroupMatrixLoad<Right, row_major>(&right, at, WIDE_PITCH); }
fn multiply_add(l: Left, r: Right, sum: Sum) -> Sum { return subgroupMatrixMultiplyAccumulate(l, r, sum); }
fn store_sum(at: u32, sum: Sum) { subgroupMatrixStore<row_major>(&results, at, sum, 16u); }
