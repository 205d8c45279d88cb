/** What the adapter kernels make of a token against the float64 reference, and their numbers at the extremes. */
import { describe, expect } from 'bun:test';
import { type AdapterTile, gradTile, rowTile, shaped } from '../../kernels/adapter/tiles.ts';
import type { Expert } from '../../kernels/gains/reference.ts';
import { kernel } from '../../kernels/index.ts';
import { gpuTest, quadTest, relativeError, runKernel } from '../gpu/harness.ts';
import {
  makeSite,
  noiseSource,
  oneModule,
  pick,
  referenceOf,
  type Site,
  type SiteAdapter,
} from './gains_site.ts';

const AUX_SCALE = 0.5;

const stereo = (kind: Expert['kind'], theta: number, rank: number): Expert => ({
  space: 'stereo',
  kind,
  theta,
  rank,
  sigma: 1.2,
  scale: 2,
});
const exp = (kind: Expert['kind'], theta: number, rank: number): Expert => ({
  ...stereo(kind, theta, rank),
  space: 'exp',
});
const euclid = (rank: number): Expert => ({ ...stereo('none', 0, rank), space: 'euclid' });

const three = [stereo('hyperbolic', -0.5, 4), stereo('sphere', 0.2, 5), euclid(8)];
const six = [
  exp('hyperbolic', 0.1, 4),
  exp('sphere', -1, 8),
  stereo('kappa', -0.7, 5),
  exp('kappa', 0.3, 4),
  euclid(3),
  exp('kappa', 0, 5),
];
const plain = { aux: 0, zloss: 0, renorm: true };

const top2: SiteAdapter = { ...plain, experts: three, topK: 2, aux: 0.01, router: 'input', slot: 1 };
const single: SiteAdapter = {
  ...plain,
  experts: [stereo('hyperbolic', 0.4, 5)],
  topK: 1,
  router: 'none',
  learnScale: true,
};
const switched: SiteAdapter = {
  ...plain,
  experts: six.slice(0, 4),
  topK: 1,
  renorm: false,
  aux: 0.02,
  zloss: 0.001,
  router: 'input',
};
const largest: SiteAdapter = {
  ...plain,
  experts: six,
  topK: 2,
  aux: 0.01,
  zloss: 0.002,
  router: 'input',
  slot: 1,
};
const soft: SiteAdapter = {
  ...plain,
  experts: [exp('sphere', -0.3, 4), exp('hyperbolic', -0.2, 5)],
  topK: 2,
  router: 'input',
  learnScale: true,
};
const onRank: SiteAdapter = {
  ...plain,
  experts: [stereo('sphere', 0, 4), exp('kappa', -0.9, 5), euclid(8)],
  topK: 2,
  aux: 0.03,
  zloss: 0.01,
  router: 'rank',
  rankRouter: Array.from({ length: 3 * 17 }, noiseSource(77)),
};

const sites: [name: string, adapters: SiteAdapter[], tokens: number, training: number][] = [
  ['one expert without a router', [single], 1, 0],
  ['top 2 of 3', [top2], 37, 1],
  ['top 1 of 4 by softmax', [switched], 37, 1],
  ['router on rank space', [onRank], 37, 1],
  ['five adapters on one input', [largest, onRank, single, soft, top2], 129, 1],
  ['top 1 renormalised', [{ ...switched, renorm: true }, single], 1, 1],
];

/** z, s and ‖x‖² of the result, each as a matrix. */
async function runForward(site: Site, training: number, tile: AdapterTile = 'processor') {
  const { x, a, gram, geometry, slot_scale, row_of } = site.buffers;
  const { tokens, ldZ, ldS, ldInner, ldRoute } = site.size;
  const shape = rowTile(tile, ldZ);
  const forward = kernel(shaped('adapter.forward', tile));
  const { inner, routing } = (await runKernel(
    forward,
    pick(forward, { ...site.params, ...shape }),
    {
      site: Uint32Array.of(7, 0, 0xffffffff, 0),
      x,
      a,
      geometry,
      gram,
      slot_scale,
      row_of,
      inner: new Float32Array(tokens * ldInner),
      routing: new Float32Array(tokens * ldRoute),
    },
    { frame: { tokens, training, seed: 5, step: 3 }, workgroups: [Math.ceil(tokens / shape.ROWS)] },
  )) as Record<'inner' | 'routing', Float32Array>;
  const s = inner.filter((_, i) => i % ldInner >= ldZ && i % ldInner < ldZ + ldS);
  return { s, routing, inner };
}

async function runBackward(
  site: Site,
  { inner, routing }: { inner: Float32Array; routing: Float32Array },
  stats: Float32Array,
  tile: AdapterTile = 'processor',
) {
  const { x, dy, b, gram, geometry } = site.buffers;
  const { tokens, ldX, ldZ, ldS, ldDz, ldDy } = site.size;
  const frame = { tokens, training: 1, aux_scale: AUX_SCALE };
  const shape = rowTile(tile, ldS);
  const backward = kernel(shaped('adapter.backward', tile));
  const grads = kernel(shaped('adapter.grads', tile));
  const { dz } = (await runKernel(
    backward,
    pick(backward, { ...site.params, ...oneModule(site), ...shape }),
    { dy, b, geometry, gram, inner, routing, stats, dz: new Float32Array(tokens * ldDz) },
    { frame, workgroups: [Math.ceil(tokens / shape.ROWS)] },
  )) as { dz: Float32Array };
  const [ofA, ofB] = [ldZ * ldX, ldDy * ldS];
  const before = Float32Array.from({ length: ofA + ofB + site.size.geometry }, (_, i) => i % 3);
  const results = (site.params.EXPERTS as number) + site.adapters.length;
  const { params, workgroups } = gradTile(tile, { columns: ldDy, rank: ldS, width: ldX, ldZ, results });
  const own = { B_OFFSET: ofA, GEOMETRY_OFFSET: ofA + ofB, B_RANK: ldS };
  const sums = (await runKernel(
    grads,
    pick(grads, { ...site.params, ...oneModule(site), ...own, ...params }),
    {
      site: new Uint32Array(4),
      x,
      dy,
      dz,
      inner,
      gram_grad: new Float32Array(site.size.gram),
      grads: before,
    },
    { frame, workgroups: [workgroups] },
  )) as Record<'gram_grad' | 'grads', Float32Array>;
  const added = sums.grads.map((v, i) => v - before[i]);
  return { dz, gramGrad: sums.gram_grad, geometryGrad: added.subarray(ofA + ofB) };
}

/** Column by column: one large column must not hide an error in a small one. */
function worstColumn(out: ArrayLike<number>, ref: ArrayLike<number>, ld: number): number {
  const column = (from: ArrayLike<number>, c: number) =>
    Array.from({ length: from.length / ld }, (_, t) => from[t * ld + c]);
  let worst = 0;
  for (let c = 0; c < ld; c++) {
    const error = relativeError(column(out, c), column(ref, c));
    if (!(error <= worst)) worst = error;
  }
  return worst;
}

describe('gains kernels against the reference', () => {
  const shapes = sites.flatMap((site, index): [(typeof sites)[number], number, AdapterTile][] =>
    // the largest in every shape
    (index === 4 ? (['processor', 'quads', 'hardware'] as const) : (['processor'] as const)).map(tile => [
      site,
      index,
      tile,
    ]),
  );
  for (const [[name, adapters, tokens, training], index, tile] of shapes) {
    (tile === 'quads' ? quadTest : gpuTest)(`${name}, ${tokens} tokens, for ${tile}`, async () => {
      const site = makeSite(adapters, tokens, 11 + index);
      const ref = referenceOf(site, AUX_SCALE);
      const forward = await runForward(site, training, tile);
      const { s, routing } = forward;
      const stats = Float32Array.from(ref.stats);
      const { dz, gramGrad, geometryGrad } = await runBackward(site, forward, stats, tile);
      const errors = {
        s: worstColumn(s, ref.s, site.size.ldS),
        routing: worstColumn(routing, ref.routing, site.size.ldRoute),
        dz: worstColumn(dz, ref.dz, site.size.ldDz),
        gramGrad: relativeError(gramGrad, ref.gramGrad),
        geometryGrad: relativeError(geometryGrad, ref.geometryGrad),
      };
      console.log(
        `  ${name}: ${Object.entries(errors)
          .map(([key, e]) => `${key} ${e.toExponential(1)}`)
          .join(', ')}`,
      );
      expect(errors.s).toBeLessThan(3e-6);
      expect(errors.routing).toBeLessThan(3e-6);
      expect(errors.dz).toBeLessThan(2e-5);
      expect(errors.gramGrad).toBeLessThan(1e-5);
      expect(errors.geometryGrad).toBeLessThan(2e-5);
    });
  }
});

describe('gains kernels at the extremes', () => {
  const kappas = [0, 1e-12, -1e-12, 0.5, -0.5].flatMap(k => [stereo('kappa', k, 4), exp('kappa', k, 4)]);
  const everything: SiteAdapter = { ...plain, experts: kappas, topK: 10, router: 'none', learnScale: true };

  // The last column: also accurate. At 1e18 with σ = 1.2 squares pass float32's range, where only finiteness is promised.
  const cases: [norm: number, bScale: number, accurate: boolean][] = [
    [1e18, 0.5, false],
    [1e18, 0, true],
    [1e18, 1e-18, false],
    [1e16, 0.5, true],
    [1e9, 10, true],
    [1e-19, 1, true],
  ];
  for (const [norm, bScale, accurate] of cases) {
    gpuTest(`finite at ‖x‖ ≈ ${norm}, B ≈ ${bScale}`, async () => {
      const site = makeSite([everything], 16, 3, norm / 1.5, bScale);
      const forward = await runForward(site, 1);
      const { s, routing } = forward;
      const { dz, gramGrad, geometryGrad } = await runBackward(site, forward, new Float32Array(64));
      for (const [name, values] of Object.entries({ s, routing, dz, gramGrad, geometryGrad })) {
        const bad = values.findIndex(v => !Number.isFinite(v));
        if (bad >= 0) throw new Error(`${name}[${bad}] is ${values[bad]}`);
      }
      if (!accurate) return;
      const ref = referenceOf(site, AUX_SCALE);
      expect(worstColumn(s, ref.s, site.size.ldS)).toBeLessThan(1e-5);
      for (let c = 0; c < site.size.ldS; c++) {
        const column = (from: ArrayLike<number>) =>
          Array.from({ length: 16 }, (_, t) => from[t * site.size.ldDz + c] / norm);
        expect(relativeError(column(dz), column(ref.dz))).toBeLessThan(1e-4);
      }
    });
  }
});

describe('router noise', () => {
  const noisy: SiteAdapter = {
    ...largest,
    experts: [...six, ...six].slice(0, 8),
    topK: 8,
    zloss: 0,
    aux: 0,
    noise: 0.5,
    slot: 0,
  };
  const site = makeSite([single, noisy], 129, 5);
  const record = 5 + 3 * 8;

  gpuTest('acts in training only, is normal, and the backward pass sees the same routing', async () => {
    const still = await runForward(site, 0);
    expect(worstColumn(still.s, referenceOf(site, AUX_SCALE).s, site.size.ldS)).toBeLessThan(3e-6);

    const forward = await runForward(site, 1);
    expect(await runForward(site, 1)).toEqual(forward);
    const { s, routing } = forward;
    // ℓ = log P + lse gives the noise back.
    const noise = site.tokens[1].map((token, t) => {
      const row = t * site.size.ldRoute;
      return token.logits.map((l, e) => Math.log(routing[row + 5 + e]) + routing[row + record + 1] - l);
    });
    const all = noise.flat();
    const mean = all.reduce((sum, v) => sum + v, 0) / all.length;
    const deviation = Math.sqrt(all.reduce((sum, v) => sum + (v - mean) ** 2, 0) / all.length);
    expect(Math.abs(mean)).toBeLessThan(0.05);
    expect(Math.abs(deviation - 0.5)).toBeLessThan(0.05);
    expect(new Set(all.map(v => v.toFixed(4))).size).toBeGreaterThan(900);

    const seen: Site = {
      ...site,
      tokens: [
        site.tokens[0],
        site.tokens[1].map((x, t) => ({ ...x, logits: x.logits.map((l, e) => l + noise[t][e]) })),
      ],
    };
    const ref = referenceOf(seen, AUX_SCALE);
    const { dz } = await runBackward(site, forward, new Float32Array(128));
    expect(worstColumn(s, ref.s, site.size.ldS)).toBeLessThan(3e-6);
    expect(worstColumn(dz, ref.dz, site.size.ldDz)).toBeLessThan(3e-5);
  });
});
