/** The radial maps in WGSL against float64, over curvatures around 0 and norms up to 1e18. */
import { expect } from 'bun:test';
import { drop, lift } from '../../kernels/gains/maps.ts';
import { gpuTest } from '../gpu/harness.ts';
import { librarySpaces } from './library_spaces.ts';
import { probeMaps } from './radial_probe.ts';

const MAPS = [lift, drop];
const KINDS = ['hyperbolic', 'sphere', 'kappa'] as const;
/** Built-in spaces: number in the module, kind, map. */
const SPACES = KINDS.flatMap(kind =>
  (['stereo', 'exp'] as const).map(map => ({ kind, map, number: librarySpaces.number(kind, map) })),
);
const SIZES = [1e-12, 1e-6, 1e-3, 0.1, 0.37, 1.7];
/** Stored parameters to try, and the curvature each stands for. */
const stored = (kind: (typeof KINDS)[number]): [stored: number, curvature: number][] =>
  kind === 'kappa'
    ? [0, ...SIZES.flatMap(k => [k, -k])].map(Math.fround).map(k => [k, k])
    : SIZES.map(c => Math.fround(Math.log(c))).map(theta => [
        theta,
        kind === 'sphere' ? Math.exp(theta) : -Math.exp(theta),
      ]);

/** Rows of which map, space, stored parameter, squared radius. */
const evaluate = (points: number[][]) =>
  probeMaps(
    librarySpaces.text,
    points.map(([which, space, theta, square]) => ({ which, space, square, stored: [theta] })),
  );

/** Relative error; what float32 flushes to zero counts as 0, and so does a gradient at the floor of q, 1e-20. */
function error(out: number, ref: number): number {
  if (Math.abs(ref) < 2e-38) return Math.abs(out) < 1e-20 ? 0 : Number.POSITIVE_INFINITY;
  return Math.abs(out - ref) / Math.abs(ref);
}

gpuTest('values to 1e-6, derivatives to 1e-5, from norm 0 to 1e18', async () => {
  const norms = [0, 1e-10];
  for (let exponent = -3; exponent < 18; exponent += exponent < 2 ? 0.05 : 0.25)
    norms.push(1.0371 * 10 ** exponent); // off the guards
  const cases = MAPS.flatMap((_, which) =>
    SPACES.flatMap(({ kind, map, number }) =>
      stored(kind).flatMap(([theta, curvature]) =>
        norms.map(norm => ({
          which,
          kind,
          map,
          curvature,
          point: [which, number, theta, Math.fround(norm ** 2)],
        })),
      ),
    ),
  );
  const results = await evaluate(cases.map(c => c.point));
  const worst = { gain: 0, bySquare: 0, byStored: 0 };
  const bad: string[] = [];
  cases.forEach(({ which, kind, map, curvature, point }, i) => {
    const q = point[3];
    const { gain, bySquare, byStored, guarded } = results[i];
    const ref = MAPS[which](map, curvature, q);
    expect([gain, bySquare, ...byStored].every(Number.isFinite)).toBe(true);
    expect(guarded).toBe(ref.guarded);
    const errors = {
      gain: error(gain, ref.gain),
      bySquare: error(bySquare, (1 + q) * ref.bySquare),
      byStored: error(byStored[0], ref.byCurvature * (kind === 'kappa' ? 1 : curvature)),
    };
    // WGSL's exp of a stored logarithm x is within 3 + 2|x| ULP; the gain's own condition number amplifies that.
    const exp =
      kind === 'kappa'
        ? 0
        : Math.abs(point[2]) * 1.2e-7 * (1 + Math.abs((ref.byCurvature * curvature) / ref.gain));
    if (errors.gain > 1e-6 + exp || Math.max(errors.bySquare, errors.byStored) > 1e-5 + 3 * exp)
      bad.push(
        `${['lift', 'drop'][which]} ${kind} ${map}, κ = ${curvature}, q = ${q}: ${JSON.stringify(errors)}`,
      );
    for (const key of ['gain', 'bySquare', 'byStored'] as const)
      worst[key] = Math.max(worst[key], errors[key]);
  });
  console.log(
    `  maps, ${cases.length} points: ${Object.entries(worst)
      .map(([key, e]) => `${key} ${e.toExponential(1)}`)
      .join(', ')}`,
  );
  expect(bad.slice(0, 10)).toEqual([]);
});

gpuTest('finite at the guards and for absurd curvatures', async () => {
  const edges = [-3.6, -99, -100, (Math.PI / 2) ** 2, 0.998001, 0.99, 1, -4, 0.1, -0.1, -2.5];
  const points = MAPS.flatMap((_, which) =>
    SPACES.flatMap(({ kind, number }) => {
      const near = edges.flatMap(u =>
        [1 - 1e-7, 1, 1 + 1e-7].flatMap(by => [1, 1e-9, 1e9].map(q => [(u * by) / q, q])),
      );
      const absurd = [-1e17, -1e10, 1e10, 1e17].flatMap(k => [0, 1e-30, 1, 1e36].map(q => [k, q]));
      return [...near, ...absurd]
        .filter(([k]) => kind === 'kappa' || k > 0 === (kind === 'sphere'))
        .map(([k, q]) => [which, number, kind === 'kappa' ? k : Math.log(Math.abs(k)), q]);
    }),
  );
  for (const [i, { gain, bySquare, byStored }] of (await evaluate(points)).entries()) {
    const result = [gain, bySquare, ...byStored];
    if (!result.every(Number.isFinite) || !(gain >= 0)) throw new Error(`${points[i]}: ${result}`);
  }
});
