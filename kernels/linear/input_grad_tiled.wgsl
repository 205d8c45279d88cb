// linear.input_grad for hardware: a workgroup of 64 computes 64 × 64 outputs, 8 × 8 per invocation, with 16 steps of the
// reduction at a time staged in workgroup memory (9 KiB). Rows of dy are 5 vec4 apart, one more than they hold, against
// bank conflicts; rows of w lie along the output, so they are read without any.
const PITCH: u32 = 5u;

var<workgroup> dy_tile: array<vec4<f32>, 320>;
var<workgroup> w_tile: array<vec4<f32>, 256>;

// Adds the 16 staged steps. Lane (tx, ty) owns rows ty + 8·i and columns 4·tx..+3 and 32 + 4·tx..+3.
fn multiply(acc: ptr<function, array<vec4<f32>, 16>>, tx: u32, ty: u32) {
  for (var n = 0u; n < 4u; n++) {
    let u = 64u * n + tx;
    let wa = mat4x4<f32>(w_tile[u], w_tile[u + 16u], w_tile[u + 32u], w_tile[u + 48u]);
    let wb = mat4x4<f32>(w_tile[u + 8u], w_tile[u + 24u], w_tile[u + 40u], w_tile[u + 56u]);
    let r = ty * PITCH + n;
    let d0 = dy_tile[r]; let d1 = dy_tile[r + 40u]; let d2 = dy_tile[r + 80u]; let d3 = dy_tile[r + 120u];
    let d4 = dy_tile[r + 160u]; let d5 = dy_tile[r + 200u]; let d6 = dy_tile[r + 240u]; let d7 = dy_tile[r + 280u];
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

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let tx = lane % 8u;
  let ty = lane / 8u;
  let column4 = group.x * 16u;
  let first = group.y * 64u;
  let rows = chunk_rows();
  if (first >= rows || column4 >= K4) { return; }
  let here = min(rows - first, 64u);
  let row = site.row_start + first;
  var acc: array<vec4<f32>, 16>;

  // Staging: of the left tile four lanes read 64 bytes of a row, of the right one sixteen lanes read 256 bytes.
  let part = lane % 4u;
  let c = lane % 16u;
  if (HAS_LOWRANK) {
    for (var j = 0u; j < SZ; j += 16u) {
      for (var r = lane / 4u; r < 64u; r += 16u) {
        var v = vec4<f32>();
        if (r < here && j + 4u * part < SZ) { v = dz_at(row + r, j / 4u + part); }
        dy_tile[r * PITCH + part] = v;
      }
      for (var q = lane / 16u; q < 16u; q += 4u) {
        var v = vec4<f32>();
        if (j + q < SZ && column4 + c < K4) { v = a[(j + q) * K4 + column4 + c]; }
        w_tile[q * 16u + c] = v;
      }
      workgroupBarrier();
      multiply(&acc, tx, ty);
      workgroupBarrier();
    }
    if (DROPOUT != 0u) {
      let drop = dropper();
      for (var e = 0u; e < 16u; e++) {
        acc[e] = dropped(drop, acc[e], row + ty + 8u * (e / 2u), column4 + tx + 8u * (e % 2u));
      }
    }
  }

  if (HAS_BASE) {
    let dy0 = select(row, first, CHUNKED_INPUT) * DY4;
    for (var n = 0u; n < N; n += 16u) {
      for (var r = lane / 4u; r < 64u; r += 16u) {
        var v = vec4<f32>();
        if (r < here && n + 4u * part < LD_DY) { v = dy[dy0 + r * DY4 + n / 4u + part]; }
        dy_tile[r * PITCH + part] = v;
      }
      for (var q = lane / 16u; q < 16u; q += 4u) {
        var v = vec4<f32>();
        if (n + q < N && column4 + c < K4) { v = w[(n + q) * K4 + column4 + c]; }
        w_tile[q * 16u + c] = v;
      }
      workgroupBarrier();
      multiply(&acc, tx, ty);
      workgroupBarrier();
    }
  }

  for (var e = 0u; e < 16u; e++) {
    let i = ty + 8u * (e / 2u);
    let column = column4 + tx + 8u * (e % 2u);
    if (i < here && column < K4) { finish(first + i, column, acc[e]); }
  }
}
