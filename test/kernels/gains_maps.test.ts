/** The radial maps in WGSL against float64, over curvatures around 0 and norms up to 1e18. */
import { expect } from 'bun:test';
import { drop, lift, type Space } from '../../kernels/gains/maps.ts';
import { source } from '../../kernels/source.ts';
import type { KernelSpec } from '../../kernels/spec.ts';
import { gpuTest, runKernel } from '../gpu/harness.ts';

const probe: KernelSpec = {
  name: 'test.maps',
  wgsl: `${source('common/frame', 'gains/maps')}
@group(0) @binding(1) var<storage, read> points: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> out: array<vec4<f32>>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  if (id.x >= frame.tokens) { return; }
  let p = points[id.x];  // which map, space, κ, squared radius
  var r: Radial;
  if (p.x == 0.0) { r = lift(u32(p.y), p.z, p.w); } else { r = drop(u32(p.y), p.z, p.w); }
  out[id.x] = vec4<f32>(r.gain, r.by_square, r.by_curvature, select(0.0, 1.0, r.guarded));
}`,
  bindings: [
    { name: 'frame', access: 'uniform' },
    { name: 'points', access: 'read' },
    { name: 'out', access: 'write' },
  ],
};

const MAPS = [lift, drop];
const SPACES: Space[] = ['euclid', 'stereo', 'exp'];
const CURVATURES = [0, 1e-12, 1e-6, 1e-3, 0.1, 0.37, 1.7].flatMap(k => (k === 0 ? [0] : [k, -k]));

async function evaluate(points: number[][]): Promise<number[][]> {
  const { out } = await runKernel(
    probe,
    {},
    { points: Float32Array.from(points.flat()), out: new Float32Array(4 * points.length) },
    { frame: { tokens: points.length }, workgroups: [Math.ceil(points.length / 64)] },
  );
  return points.map((_, i) => [...out.subarray(4 * i, 4 * i + 4)]);
}

/** Relative error; what float32 flushes to zero counts as 0. */
function error(out: number, ref: number): number {
  if (Math.abs(ref) < 2e-38) return Math.abs(out) < 4e-38 ? 0 : Number.POSITIVE_INFINITY;
  return Math.abs(out - ref) / Math.abs(ref);
}

gpuTest('values to 1e-6, derivatives to 1e-5, from norm 0 to 1e18', async () => {
  const norms = [0, 1e-10];
  for (let exponent = -3; exponent < 18; exponent += exponent < 2 ? 0.05 : 0.25)
    norms.push(1.0371 * 10 ** exponent); // off the guards
  const points = MAPS.flatMap((_, map) =>
    SPACES.flatMap((_, space) =>
      CURVATURES.flatMap(k => norms.map(norm => [map, space, k, norm ** 2].map(Math.fround))),
    ),
  );
  const results = await evaluate(points);
  const worst = { gain: 0, bySquare: 0, byCurvature: 0 };
  points.forEach(([map, space, k, q], i) => {
    const [gain, bySquare, byCurvature, guarded] = results[i];
    const ref = MAPS[map](SPACES[space], k, q);
    expect(results[i].every(Number.isFinite)).toBe(true);
    expect(guarded).toBe(ref.guarded ? 1 : 0);
    const errors = {
      gain: error(gain, ref.gain),
      bySquare: error(bySquare, (1 + q) * ref.bySquare),
      byCurvature: error(byCurvature, ref.byCurvature),
    };
    if (errors.gain > 1e-6 || errors.bySquare > 1e-5 || errors.byCurvature > 1e-5) {
      throw new Error(
        `${['lift', 'drop'][map]} ${SPACES[space]}, κ = ${k}, q = ${q}: ${JSON.stringify(errors)}`,
      );
    }
    for (const key of ['gain', 'bySquare', 'byCurvature'] as const)
      worst[key] = Math.max(worst[key], errors[key]);
  });
  console.log(
    `  maps, ${points.length} points: ${Object.entries(worst)
      .map(([key, e]) => `${key} ${e.toExponential(1)}`)
      .join(', ')}`,
  );
});

gpuTest('finite at the guards and for absurd curvatures', async () => {
  const edges = [-3.6, -99, -100, (Math.PI / 2) ** 2, 0.998001, 0.99, 1, -4, 0.1, -0.1, -2.5];
  const points = MAPS.flatMap((_, map) =>
    [1, 2].flatMap(space => [
      ...edges.flatMap(u =>
        [1 - 1e-7, 1, 1 + 1e-7].flatMap(near => [1, 1e-9, 1e9].map(q => [map, space, (u * near) / q, q])),
      ),
      ...[-1e17, -1e10, 1e10, 1e17].flatMap(k => [0, 1e-30, 1, 1e36].map(q => [map, space, k, q])),
    ]),
  );
  for (const [i, result] of (await evaluate(points)).entries()) {
    if (!result.every(Number.isFinite) || !(result[0] >= 0)) throw new Error(`${points[i]}: ${result}`);
  }
});
