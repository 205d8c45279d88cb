/** How far the functions of kernels/functions are from float64, measured on the device; docs/spaces.md shows the table. */
import { PRIMITIVES, type Primitive } from '../../compiler/spaces/primitives.ts';
import { source } from '../../kernels/source.ts';
import type { KernelSpec } from '../../kernels/spec.ts';
import { runKernel } from '../gpu/harness.ts';

export interface Measured {
  name: string;
  text: string;
  domain: string;
  /** Largest error in ULP of the result, and the same divided by 1 + condition number. */
  ulp: number;
  scaled: number;
  worstAt: number;
}

interface Case {
  name: Primitive;
  text: string;
  /** WGSL of the value at `x`. */
  wgsl: string;
  from: number;
  to: number;
  signs: (1 | -1)[];
}

const pair = (call: string, side: 'x' | 'y') =>
  side === 'x' ? `${call}(x).x` : `${call}(x).y / (1.0 + abs(x))`;
const two = (
  names: [Primitive, Primitive],
  texts: [string, string],
  call: string,
  from: number,
  to: number,
  signs: (1 | -1)[],
): Case[] =>
  (['x', 'y'] as const).map((side, i) => ({
    name: names[i],
    text: texts[i],
    wgsl: pair(call, side),
    from,
    to,
    signs,
  }));

export const CASES: Case[] = [
  { name: 'exp', text: 'eˣ', wgsl: 'exponential(x)', from: 1e-6, to: 80, signs: [1, -1] },
  { name: 'log', text: 'log x', wgsl: 'logarithm(x)', from: 1e-30, to: 1e30, signs: [1] },
  ...two(['E', 'E1'], ['(eˣ−1)/x', '… its derivative'], 'exp_over_x', 1e-6, 80, [1, -1]),
  ...two(['L', 'L1'], ['log(1+x)/x', '… its derivative'], 'log_over_x', 1e-6, 1e18, [1]),
  ...two(['L', 'L1'], ['log(1+x)/x, x < 0', '… its derivative'], 'log_over_x', 1e-6, 0.999, [-1]),
  { name: 'C', text: 'cos √u, cosh √−u', wgsl: 'cosine_of_root(x)', from: 1e-12, to: 6000, signs: [1, -1] },
  ...two(
    ['S', 'S1'],
    ['sin √u/√u, sinh √−u/√−u', '… its derivative'],
    'sine_over_root',
    1e-12,
    6000,
    [1, -1],
  ),
  ...two(['T', 'T1'], ['tan √u/√u', '… its derivative'], 'tangent_over_root', 1e-12, 2, [1]),
  ...two(['T', 'T1'], ['tanh √−u/√−u', '… its derivative'], 'tangent_over_root', 1e-12, 1e12, [-1]),
  ...two(['A', 'A1'], ['asin √u/√u', '… its derivative'], 'arcsine_over_root', 1e-12, 0.9999, [1]),
  ...two(['A', 'A1'], ['asinh √−u/√−u', '… its derivative'], 'arcsine_over_root', 1e-12, 1e12, [-1]),
  ...two(['N', 'N1'], ['atan √u/√u', '… its derivative'], 'arctangent_over_root', 1e-12, 1e12, [1]),
];

const files = ['exponential', 'logarithm', 'sine', 'tangent', 'arcsine', 'arctangent'] as const;
const probe: KernelSpec = {
  name: 'test.functions',
  wgsl: `${source('common/frame')}
${files.map(file => source(`functions/${file}`)).join('\n')}
@group(0) @binding(1) var<storage, read> points: array<vec2<f32>>;
@group(0) @binding(2) var<storage, read_write> out: array<f32>;
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  if (id.x >= frame.tokens) { return; }
  let x = points[id.x].y;
  var value = 0.0;
  switch (u32(points[id.x].x)) {
${CASES.map((c, i) => `    case ${i}u: { value = ${c.wgsl}; }`).join('\n')}
    default: {}
  }
  out[id.x] = value;
}`,
  bindings: [
    { name: 'frame', access: 'uniform' },
    { name: 'points', access: 'read' },
    { name: 'out', access: 'write' },
  ],
};

const ULP = 2 ** -23;
const EACH = 2000;

export async function measure(): Promise<Measured[]> {
  const grid = CASES.map(({ from, to, signs }) =>
    signs.flatMap(sign =>
      Array.from({ length: EACH }, (_, i) => Math.fround(sign * from * (to / from) ** (i / (EACH - 1)))),
    ),
  );
  const points = Float32Array.from(grid.flatMap((xs, i) => xs.flatMap(x => [i, x])));
  const count = points.length / 2;
  const { out } = await runKernel(
    probe,
    {},
    { points, out: new Float32Array(count) },
    { frame: { tokens: count }, workgroups: [Math.ceil(count / 64)] },
  );
  let at = 0;
  return CASES.map(({ name, text, from, to, signs }, i) => {
    const { value } = PRIMITIVES[name];
    let worst = { ulp: 0, scaled: 0, worstAt: 0 };
    for (const x of grid[i]) {
      const want = value(x);
      const got = out[at++];
      // Where float32 has no normal number, or the reference itself is at a zero, a relative error says nothing.
      if (Math.abs(want) < 1e-37 || Math.abs(want) > 3e38) continue;
      const ulp = Math.abs(got - want) / Math.abs(want) / ULP;
      const h = Math.abs(x) * 1e-5;
      const condition = Math.abs((x * (value(x + h) - value(x - h))) / (2 * h) / want);
      const scaled = ulp / (1 + condition);
      worst = {
        ulp: Math.max(ulp, worst.ulp),
        scaled: Math.max(scaled, worst.scaled),
        worstAt: scaled > worst.scaled ? x : worst.worstAt,
      };
      if (Number.isNaN(ulp)) worst.scaled = Number.POSITIVE_INFINITY;
    }
    const sign = signs.length === 2 ? '±' : signs[0] < 0 ? '−' : '';
    const shown = (bound: number) =>
      bound < 1e-4 || bound > 1e4 ? bound.toExponential().replace('+', '') : String(bound);
    return { name, text, domain: `${sign}[${shown(from)}, ${shown(to)}]`, ...worst };
  });
}
