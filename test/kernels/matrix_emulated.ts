/**
 * The kernels for matrix units with those units written out: kernels/linear/matrix_units.wgsl, function by function, in
 * plain WGSL, so that everything around them runs on any device. An invocation holds 8 neighbours of each 16 × 16 sum.
 */
import { source } from '../../kernels/source.ts';
import type { KernelSpec } from '../../kernels/spec.ts';

const UNITS = `
alias Left = u32;
struct Right { at: u32, by_rows: bool }
alias Sum = array<f32, 8>;

var<workgroup> left: array<u32, SIDE * PITCH / 2u>;
var<workgroup> right: array<u32, SIDE * PITCH / 2u>;
var<workgroup> results: array<f32, 4 * 256>;
var<private> invocation: u32;

fn halves(v: vec4<f32>) -> vec2<u32> {
  let fits = clamp(v, vec4<f32>(-65504.0), vec4<f32>(65504.0));
  return vec2<u32>(pack2x16float(fits.xy), pack2x16float(fits.zw));
}
fn stage_left(at: u32, v: vec4<f32>) { let h = halves(v); left[at / 2u] = h.x; left[at / 2u + 1u] = h.y; }
fn stage_gradient(at: u32, v: vec4<f32>) { left[at / 2u] = pack2x16float(v.xy); left[at / 2u + 1u] = pack2x16float(v.zw); }
fn stage_right(at: u32, v: vec4<f32>) { let h = halves(v); right[at / 2u] = h.x; right[at / 2u + 1u] = h.y; }
fn load_left(at: u32) -> Left { return at; }
fn load_right_columns(at: u32) -> Right { return Right(at, false); }
fn load_right_rows(at: u32) -> Right { return Right(at, true); }
fn multiply_add(l: Left, r: Right, sum: Sum) -> Sum {
  var result = sum;
  let along = select(1u, WIDE_PITCH, r.by_rows);
  let across = select(PITCH, 1u, r.by_rows);
  for (var k = 0u; k < 16u; k++) {
    let a = l + invocation / 2u * PITCH + k;
    let x = unpack2x16float(left[a / 2u])[a % 2u];
    for (var c = 0u; c < 8u; c++) {
      let b = r.at + k * along + (invocation % 2u * 8u + c) * across;
      result[c] += x * unpack2x16float(right[b / 2u])[b % 2u];
    }
  }
  return result;
}
fn store_sum(at: u32, sum: Sum) { for (var c = 0u; c < 8u; c++) { results[at + invocation * 8u + c] = sum[c]; } }
`;

export function emulated(spec: KernelSpec): KernelSpec {
  const replace = (text: string, from: string, to: string) => {
    if (!text.includes(from)) throw new Error(`${spec.name} has no ${from}`);
    return text.replace(from, () => to);
  };
  const units = replace(spec.wgsl, source('linear/matrix_units'), UNITS);
  const subgroup = 'let subgroup = lane / 32u;';
  return { ...spec, wgsl: replace(units, subgroup, `${subgroup} invocation = lane % 32u;`) };
}
