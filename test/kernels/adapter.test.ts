/** The products of the adapter kernels in every shape against float64, on sizes that fit no tile, under dropout. */
import { describe, expect } from 'bun:test';
import { outer, outputGrad, project } from '../../kernels/adapter/reference.ts';
import { adapterForward } from '../../kernels/adapter/spec.ts';
import { type AdapterTile, gradTile, rowTile, shaped } from '../../kernels/adapter/tiles.ts';
import { kernel } from '../../kernels/index.ts';
import type { Dropout } from '../../kernels/linear/reference.ts';
import { gpuTest, quadTest, relativeError, runKernel } from '../gpu/harness.ts';
import { pick } from './gains_site.ts';
import { randomMatrix } from './numbers.ts';

const ALPHA = 1.5;
const SLOTS = Float32Array.of(1, 0.5);
const FRAME = { seed: 7, step: 3, micro: 1, training: 1 };
const SITE = 5;
const dropout: Dropout = {
  ...FRAME,
  site: SITE,
  DROPOUT: Math.round(0.3 * 2 ** 32),
  KEEP_SCALE: Math.fround(1 / 0.7),
};
const MASK = { DROPOUT: dropout.DROPOUT, KEEP_SCALE: dropout.KEEP_SCALE };

/** Flat experts, so that s = alpha·slot·z: of ranks 7 and 12 on the outer two of three modules; 36 columns of z, 171 of x. */
const [WIDTH, LD_X, LD_Z, LD_S, LD_INNER, LD_DZ] = [171, 172, 36, 20, 60, 48];
const LAYOUT = {
  ADAPTERS: 2,
  EXPERTS: 2,
  MAX_ROWS: 2,
  MAX_RANK: 12,
  LD_Z,
  LD_S,
  LD_INNER,
  S_COLUMN: LD_Z,
  LD_DZ,
  LD_ROUTE: 12,
  EXPERT_START: [0, 1, 2],
  HAS_ROUTER: [0, 0],
  ROUTER_COLUMN: [0, 0],
  ON_RANK: [0, 0],
  TOP_K: [1, 1],
  SPACE: [0, 0],
  PARAMETERS: [0, 0],
  Z_COLUMN: [0, 8],
  RANK: [7, 12],
  SCALE: [ALPHA, ALPHA],
  LEARN_SCALE: [0, 0],
  RADIUS_COLUMN: 56,
  EXTRA_COLUMN: LD_Z,
  SLOT: [0, 0],
  ROUTE_COLUMN: [0, 5],
  NOISE: [0, 0],
  ROUTER_OFFSET: [0, 0],
  RENORM: [1, 1],
  AUX: [0, 0],
  ZLOSS: [0, 0],
  INV_SIGMA2: [1, 1],
  GRAM_OFFSET: [0, 49],
  PARAM_OFFSET: [0, 16],
  LD_X,
  NEEDS_RADIUS: true,
  ...MASK,
};
const RANKS = { SEG_S: [0, 8, 8], SEG_RANK: [8, 0, 12] };
const MODULES = { LD_DY: 44, SEG_COLUMN: [0, 24, 32, 40], SEG_B: [0, 192, 192], ...RANKS };
/** Columns that four neighbours may share. */
const WHOLE = { LD_DY: 132, SEG_COLUMN: [0, 64, 96, 128], SEG_B: [0, 512, 512], ...RANKS };

describe('the products around rank space', () => {
  for (const [tile, few] of [
    ['processor', false],
    ['quads', false],
    ['hardware', false],
    ['processor', true],
    ['hardware', true],
  ] as [AdapterTile, boolean][]) {
    for (const tokens of few ? [3, 9] : [1, 37, 129]) {
      (tile === 'quads' ? quadTest : gpuTest)(
        `${tokens} tokens, for ${tile}${few ? ', a few rows' : ''}`,
        async () => {
          const [forward, backward, gradients] = ['forward', 'backward', 'grads'].map(name =>
            kernel(shaped(`adapter.${name}`, tile)),
          );
          const segments = tile === 'quads' ? WHOLE : MODULES;
          const { LD_DY } = segments;
          const width = segments.SEG_COLUMN[3];
          const ofFirst = segments.SEG_B[1];
          const sizeOfB = ofFirst + (width - segments.SEG_COLUMN[2]) * 12;
          const x = randomMatrix(1, tokens, WIDTH, LD_X);
          const a = randomMatrix(2, LD_Z, WIDTH, LD_X).map((v, i) => (Math.floor(i / LD_X) === 7 ? 0 : v));
          const dy = randomMatrix(3, tokens, width, LD_DY);
          const b = randomMatrix(4, 1, sizeOfB).map((v, i) => (i < ofFirst && i % 8 === 7 ? 0 : v));
          const row_of = Uint32Array.from({ length: tokens }, (_, t) => t % 2);
          const slot = (i: number, ld: number) => ALPHA * SLOTS[Math.floor(i / ld) % 2];
          const site = Uint32Array.of(SITE, 0, 0xffffffff, 0);
          const rows = rowTile(tile, LD_Z, few);
          const workgroups: [number] = [Math.ceil(tokens / rows.ROWS)];
          const options = { frame: { ...FRAME, tokens }, workgroups };

          const { inner, routing } = (await runKernel(
            forward,
            pick(forward, { ...LAYOUT, ...rows }),
            {
              site,
              x,
              a,
              slot_scale: SLOTS,
              row_of,
              inner: new Float32Array(tokens * LD_INNER),
              routing: new Float32Array(tokens * 12),
            },
            options,
          )) as Record<'inner' | 'routing', Float32Array>;
          const columns = (from: number, to: number) =>
            inner.filter((_, i) => i % LD_INNER >= from && i % LD_INNER < to);
          const z = project({ LD_X, LD_Z }, x, a, tokens, dropout);
          const s = z.filter((_, i) => i % LD_Z < LD_S).map((v, i) => v * slot(i, LD_S));
          expect(relativeError(columns(0, LD_Z), z)).toBeLessThan(1e-6);
          expect(relativeError(columns(LD_Z, LD_Z + LD_S), s)).toBeLessThan(1e-6);
          const radius = Array.from(row_of, (_, t) =>
            x.subarray(t * LD_X, (t + 1) * LD_X).reduce((sum, v) => sum + v * v, 0),
          );
          expect(relativeError(columns(56, 57), radius)).toBeLessThan(1e-6);
          expect(columns(57, 60).every(v => v === 0)).toBe(true);

          const modules = { ...segments, SEGMENTS: 3 };
          const { dz } = (await runKernel(
            backward,
            pick(backward, { ...LAYOUT, ...modules, ...rowTile(tile, 12, few) }),
            { dy, b, inner, routing, dz: new Float32Array(tokens * LD_DZ) },
            options,
          )) as { dz: Float32Array };
          const h = outputGrad({ LD_S, ...segments }, dy, b, tokens);
          const own = dz.filter((_, i) => i % LD_DZ < LD_S);
          expect(
            relativeError(
              own,
              h.map((v, i) => v * slot(i, LD_S)),
            ),
          ).toBeLessThan(1e-6);
          expect(dz.every((v, i) => i % LD_DZ < LD_S || v === 0)).toBe(true);

          const [ofA, before] = [LD_Z * LD_X, randomMatrix(5, 1, LD_Z * LD_X + sizeOfB)];
          const { params, workgroups: groups } = gradTile(tile, {
            columns: width,
            rank: 12,
            width: LD_X,
            ldZ: LD_Z,
            results: 0,
          });
          // dz as if routers had used every column
          const all = randomMatrix(6, tokens, LD_Z, LD_DZ);
          const run = () =>
            runKernel(
              gradients,
              pick(gradients, { ...LAYOUT, ...modules, ...params, B_OFFSET: ofA, B_RANK: 12 }),
              { site, x, dy, dz: all, inner, grads: before },
              { ...options, workgroups: [groups] },
            );
          const { grads } = await run();
          const whole = { SEG_COLUMN: [0, LD_Z], SEG_S: [0], SEG_RANK: [LD_X], SEG_B: [0] };
          const dA = outer(
            { LD_A: LD_DZ, LD_B: LD_X, ...whole },
            all,
            x,
            before.subarray(0, ofA),
            tokens,
            dropout,
          );
          const dB = outer({ LD_A: LD_DY, LD_B: LD_S, ...segments }, dy, s, before.subarray(ofA), tokens);
          expect(relativeError(grads.subarray(0, ofA), dA)).toBeLessThan(1e-6);
          expect(relativeError(grads.subarray(ofA), dB)).toBeLessThan(1e-6);
          if (tokens === 37) expect((await run()).grads).toEqual(grads);
        },
      );
    }
  }
});

gpuTest('dropout acts in training only', async () => {
  const x = randomMatrix(1, 3, WIDTH, LD_X);
  const a = randomMatrix(2, LD_Z, WIDTH, LD_X);
  const { inner } = await runKernel(
    adapterForward,
    pick(adapterForward, { ...LAYOUT, ...rowTile('processor', LD_Z) }),
    {
      site: Uint32Array.of(SITE, 0, 0xffffffff, 0),
      x,
      a,
      slot_scale: SLOTS,
      row_of: new Uint32Array(3),
      inner: new Float32Array(3 * LD_INNER),
      routing: new Float32Array(3 * 12),
    },
    { frame: { ...FRAME, training: 0, tokens: 3 }, workgroups: [1] },
  );
  const z = inner.filter((_, i) => i % LD_INNER < LD_Z);
  expect(relativeError(z, project({ LD_X, LD_Z }, x, a, 3))).toBeLessThan(1e-6);
});
