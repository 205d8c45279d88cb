// Staging for products whose right operand lies along the output: a workgroup of 64 computes 64 × 64 outputs, 8 × 8 per
// invocation, with 16 steps of the reduction at a time in workgroup memory (9 KiB). Rows on the left are 5 vec4 apart,
// one more than they hold, against bank conflicts; `right` holds 16 rows of 16 vec4.
const PITCH: u32 = 5u;

var<workgroup> left: array<vec4<f32>, 320>;
var<workgroup> right: array<vec4<f32>, 256>;

// Adds the 16 staged steps. Lane (tx, ty) owns rows ty + 8·i and columns 4·tx..+3 and 32 + 4·tx..+3.
fn multiply(acc: ptr<function, array<vec4<f32>, 16>>, tx: u32, ty: u32) {
  for (var n = 0u; n < 4u; n++) {
    let u = 64u * n + tx;
    let wa = mat4x4<f32>(right[u], right[u + 16u], right[u + 32u], right[u + 48u]);
    let wb = mat4x4<f32>(right[u + 8u], right[u + 24u], right[u + 40u], right[u + 56u]);
    let r = ty * PITCH + n;
    let d0 = left[r]; let d1 = left[r + 40u]; let d2 = left[r + 80u]; let d3 = left[r + 120u];
    let d4 = left[r + 160u]; let d5 = left[r + 200u]; let d6 = left[r + 240u]; let d7 = left[r + 280u];
    (*acc)[0] += wa * d0; (*acc)[1] += wb * d0;
    (*acc)[2] += wa * d1; (*acc)[3] += wb * d1;
    (*acc)[4] += wa * d2; (*acc)[5] += wb * d2;
    (*acc)[6] += wa * d3; (*acc)[7] += wb * d3;
    (*acc)[8] += wa * d4; (*acc)[9] += wb * d4;
    (*acc)[10] += wa * d5; (*acc)[11] += wb * d5;
    (*acc)[12] += wa * d6; (*acc)[13] += wb * d6;
    (*acc)[14] += wa * d7; (*acc)[15] += wb * d7;
  }
}
