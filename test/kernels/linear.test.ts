/** Every linear kernel and variant against float64, on shapes that fit no tile. */
import { describe, expect, test } from 'bun:test';
import {
  type Chunk,
  type Dropout,
  linearForward,
  linearInputGrad,
  mask,
} from '../../kernels/linear/reference.ts';
import * as specs from '../../kernels/linear/spec.ts';
import { LINEAR_GRIDS } from '../../kernels/linear/tiles.ts';
import { type KernelSpec, type ParamValue, specialise } from '../../kernels/spec.ts';
import { gpuTest as anyGpuTest, quadTest, relativeError, runKernel } from '../gpu/harness.ts';
import { emulated } from './matrix_emulated.ts';

const ROWS = [0, 1, 37, 129];
const ALL = 0xffffffff;
const FRAME = { seed: 7, step: 3, micro: 1, training: 1 };

/** Three modules, the middle one without adapter; columns 20..23 of s belong to none. */
const STACK = { SEG_COLUMN: [0, 24, 32, 40], SEG_S: [0, 8, 8], SEG_RANK: [8, 0, 12], SEG_B: [0, 192, 192] };
const STACK_B = 24 * 8 + 8 * 12;
/** Modules that straddle the 64 columns of a workgroup. */
const WIDE = {
  SEG_COLUMN: [0, 56, 136, 144],
  SEG_S: [0, 20, 24],
  SEG_RANK: [20, 4, 8],
  SEG_B: [0, 1120, 1440],
};
const WIDE_B = 1120 + 320 + 64;
const single = (columns: number, rank = 0) => ({
  SEG_COLUMN: [0, columns],
  SEG_S: [0],
  SEG_RANK: [rank],
  SEG_B: [0],
});

/** Multiples of 1/1024 in [−1, 1], which f16 holds; columns of each row past `width` are zeros. */
function matrix(seed: number, rows: number, ld: number, width = ld): Float32Array {
  let state = seed;
  return Float32Array.from({ length: rows * ld }, (_, i) => {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    return i % ld < width ? Math.round(state / 2 ** 21) / 1024 : 0;
  });
}

function grid(name: string, columns: number, rows: number): [number, number] {
  const { XC, YR } = LINEAR_GRIDS[name as keyof typeof LINEAR_GRIDS];
  return [Math.ceil(columns / XC), Math.ceil(rows / YR)];
}

const site = (index: number, chunk: { start: number; limit: number }) =>
  Uint32Array.of(index, chunk.start, chunk.limit, 0);
const withDropout = (p: number, index: number): Dropout => ({
  ...FRAME,
  site: index,
  DROPOUT: Math.round(p * 2 ** 32),
  KEEP_SCALE: Math.fround(1 / (1 - p)),
});
const everything = { start: 0, limit: ALL };
const chunkOf = (rows: number, { start, limit }: typeof everything): Chunk => ({
  start,
  count: Math.min(rows - Math.min(rows, start), limit),
});

/** Rows [start, start + count) agree with the reference and no other row was written. */
function compare(got: ArrayLike<number>, want: Float64Array, ld: number, written: Chunk): void {
  const out = Float64Array.from(got);
  const [from, to] = [written.start * ld, (written.start + written.count) * ld];
  expect(relativeError(out.subarray(from, to), want.subarray(from, to))).toBeLessThan(1e-5);
  expect([...out.subarray(0, from), ...out.subarray(to)].every(Number.isNaN)).toBe(true);
  expect(out.subarray(from, to).every((v, i) => want[from + i] !== 0 || v === 0)).toBe(true);
}

interface Case {
  K: number;
  N: number;
  segments?: typeof STACK;
  bLength?: number;
  ldY?: number;
  ldS?: number;
  real?: number;
  base?: boolean;
  bias?: boolean;
  residual?: boolean;
  chunk?: typeof everything;
  chunkedOutput?: boolean;
  targets?: boolean;
}

async function forward(spec: KernelSpec, c: Case, rows: number): Promise<void> {
  const { K, N, ldY = N, ldS = 16, real = N, chunk = everything, base = true, chunkedOutput = false } = c;
  const segments = c.segments ?? single(N);
  const part = chunkOf(rows, chunk);
  const stored = chunkedOutput ? part.count : rows;
  const inputs = {
    ...(base ? { x: matrix(1, rows, K, K - 1), w: matrix(2, real, K, K - 1) } : {}),
    ...(c.bias ? { bias: matrix(3, 1, N) } : {}),
    ...(c.segments ? { s: matrix(4, rows, ldS), b: matrix(5, 1, c.bLength!) } : {}),
    ...(c.residual ? { residual: matrix(6, rows, ldY) } : {}),
  };
  const p = { LD_X: K, N, W_ROWS: real, LD_Y: ldY, LD_S: ldS, CHUNKED_OUTPUT: chunkedOutput };
  const params = {
    ...p,
    ...segments,
    SEGMENTS: segments.SEG_S.length,
    HAS_BASE: base,
    HAS_BIAS: c.bias ?? false,
    HAS_RESIDUAL: c.residual ?? false,
    ROWS_ARE_TARGETS: c.targets ?? false,
  };
  const { y } = await runKernel(
    spec,
    params,
    { site: site(5, chunk), ...inputs, y: new Float32Array(stored * ldY) },
    {
      frame: { ...FRAME, tokens: c.targets ? 9999 : rows, targets: c.targets ? rows : 9999 },
      workgroups: grid(spec.name, ldY, Math.max(part.count, 1)),
    },
  );
  const want = linearForward({ ...p, ...segments }, inputs, stored, part);
  compare(y, want, ldY, { start: chunkedOutput ? 0 : part.start, count: part.count });
}

/** For hardware: four invocations share a reduction. */
const shared = {
  ...specs.linearForwardFew,
  wgsl: specialise(specs.linearForwardFew.wgsl, { LANES: 4 }),
};

const matrixForward = emulated(specs.linearForwardMatrix);
const matrixInputGrad = emulated(specs.linearInputGradMatrix);

for (const spec of [
  specs.linearForward,
  specs.linearForwardQuads,
  specs.linearForwardTiled,
  matrixForward,
  specs.linearForwardFew,
  specs.linearForwardFewQuads,
  shared,
]) {
  const few = spec.name.startsWith(specs.linearForwardFew.name);
  const tiled = spec === specs.linearForwardTiled;
  const gpuTest = spec.name.endsWith('_quads') ? quadTest : anyGpuTest;
  describe(`${spec.name}${spec === shared ? ', shared' : ''}`, () => {
    gpuTest('stacked modules with bias, adapters and residual; chunks of them', async () => {
      const c = {
        K: 172,
        N: 40,
        ldY: 44,
        segments: STACK,
        bLength: STACK_B,
        ldS: 24,
        bias: true,
        residual: true,
      };
      for (const rows of ROWS) await forward(spec, c, rows);
      await forward(spec, { ...c, chunk: { start: 5, limit: 20 } }, 37);
    });
    gpuTest('vocabularies that are no multiple of 4, in chunks of targets', async () => {
      for (const real of spec === specs.linearForward ? [301, 886] : [301]) {
        const c = { K: 24, N: Math.ceil(real / 8) * 8, real, targets: true, chunkedOutput: true };
        for (const start of [0, 32, 64, 128]) await forward(spec, { ...c, chunk: { start, limit: 32 } }, 70);
      }
    });
    // units that are written out take seconds to compile
    if (spec === matrixForward) return;
    gpuTest('modules wider than a tile, adapters with and without base', async () => {
      const c = { K: 24, N: 144, segments: WIDE, bLength: WIDE_B, ldS: 36 };
      for (const base of tiled ? [true] : [true, false]) {
        for (const rows of few ? [3] : [1, 70]) await forward(spec, { ...c, base }, rows);
      }
    });
    gpuTest('adapters only; bias or residual without adapters', async () => {
      await forward(spec, { K: 24, N: 40, segments: STACK, bLength: STACK_B, ldS: 24, base: false }, 5);
      if (tiled) return;
      for (const bias of [true, false])
        await forward(spec, { K: 128, N: 72, bias, residual: !bias }, few ? 2 : 37);
    });
    gpuTest('fewer rows of w than columns, whole and from a row on', async () => {
      const c = { K: 128, N: 20, ldY: 24, real: 18 };
      for (const start of [0, 16]) await forward(spec, { ...c, chunk: { start, limit: ALL } }, 37);
    });
  });
}

interface GradCase {
  K: number;
  N?: number;
  SZ?: number;
  radials?: number;
  addend?: boolean;
  chunk?: typeof everything;
  chunkedInput?: boolean;
  targets?: boolean;
  dropout?: number;
}

async function inputGrad(spec: KernelSpec, c: GradCase, rows: number): Promise<void> {
  const { K, N = 4, SZ = 4, radials = 0, chunk = everything, chunkedInput = false } = c;
  const part = chunkOf(rows, chunk);
  const ldDy = Math.ceil(N / 4) * 4;
  const ldDz = Math.ceil((SZ + radials) / 4) * 4 + 4;
  const dropout = c.dropout === undefined ? undefined : withDropout(c.dropout, 9);
  const inputs = {
    ...(c.N ? { dy: matrix(1, chunkedInput ? part.count : rows, ldDy, N), w: matrix(2, N, K, K - 1) } : {}),
    ...(c.SZ || radials ? { dz: matrix(3, rows, ldDz) } : {}),
    ...(c.SZ ? { a: matrix(4, SZ, K, K - 1) } : {}),
    ...(radials ? { x: matrix(5, rows, K, K - 1) } : {}),
    ...(c.addend ? { addend: matrix(6, rows, K, K - 1) } : {}),
  };
  const p = {
    N,
    LD_DY: ldDy,
    LD_DX: K,
    SZ,
    LD_DZ: ldDz,
    RADIALS: radials,
    RADIAL_COLUMN: SZ,
    CHUNKED_INPUT: chunkedInput,
  };
  const params = {
    ...p,
    HAS_BASE: c.N !== undefined,
    HAS_LOWRANK: c.SZ !== undefined,
    HAS_ADDEND: c.addend ?? false,
    ROWS_ARE_TARGETS: c.targets ?? false,
    DROPOUT: dropout?.DROPOUT ?? 0,
    KEEP_SCALE: dropout?.KEEP_SCALE ?? 1,
  };
  const { dx } = await runKernel(
    spec,
    params,
    { site: site(9, chunk), ...inputs, dx: new Float32Array(rows * K) },
    {
      frame: { ...FRAME, tokens: c.targets ? 9999 : rows, targets: c.targets ? rows : 9999 },
      workgroups: grid(spec.name, K, Math.max(part.count, 1)),
    },
  );
  compare(dx, linearInputGrad(p, inputs, rows, part, dropout), K, part);
}

for (const spec of [
  specs.linearInputGrad,
  specs.linearInputGradQuads,
  specs.linearInputGradTiled,
  matrixInputGrad,
]) {
  const gpuTest = spec.name.endsWith('_quads') ? quadTest : anyGpuTest;
  describe(spec.name, () => {
    gpuTest('base, adapters under dropout, radial terms and addend; chunks of them', async () => {
      const dropped = spec === matrixInputGrad ? {} : { dropout: 0.3 };
      const c = { K: 172, N: 40, SZ: 21, radials: 3, addend: true, ...dropped };
      for (const rows of ROWS) await inputGrad(spec, c, rows);
      await inputGrad(spec, { ...c, chunk: { start: 5, limit: 20 } }, 37);
    });
    if (spec !== matrixInputGrad)
      gpuTest('each term alone', async () => {
        await inputGrad(spec, { K: 128, radials: 1 }, 37);
        await inputGrad(spec, { K: 128, addend: true }, 37);
        if (spec !== specs.linearInputGrad) return;
        await inputGrad(spec, { K: 128, N: 72 }, 37);
        await inputGrad(spec, { K: 128, SZ: 18 }, 37);
      });
    gpuTest('vocabularies, in chunks of targets', async () => {
      for (const N of spec === specs.linearInputGrad ? [301, 886] : [301]) {
        const c = { K: 24, N, targets: true, chunkedInput: true };
        for (const start of [0, 32, 64, 128]) {
          await inputGrad(spec, { ...c, chunk: { start, limit: 32 } }, 70);
        }
      }
    });
  });
}

test('the mask keeps the share it should and differs between rows, columns and sites', () => {
  const d = withDropout(0.3, 1);
  const row = (t: number, e = d) => Array.from({ length: 4096 }, (_, c) => mask(e, t, c));
  const kept = row(0).filter(v => v > 0).length / 4096;
  expect(Math.abs(kept - 0.7)).toBeLessThan(0.03);
  expect(row(0)).not.toEqual(row(1));
  expect(row(0)).not.toEqual(row(0, { ...d, site: 2 }));
});

anyGpuTest('past f16: activations stop at its largest number, a gradient shows in its row', async () => {
  const K = 128;
  const run = async (
    spec: KernelSpec,
    params: Record<string, ParamValue>,
    buffers: Record<string, Float32Array>,
  ) =>
    runKernel(
      spec,
      params,
      { site: site(1, everything), ...buffers },
      { frame: { tokens: 2 }, workgroups: [1, 1] },
    );
  // the second row alone
  const large = Float32Array.from({ length: 2 * K }, (_, i) => (i === K + 3 ? 1e6 : 0));
  const identity = Float32Array.from({ length: K * K }, (_, i) => (i % (K + 1) === 0 ? 1 : 0));
  const size = { N: K, ...single(K) };
  const { y } = await run(
    matrixForward,
    { ...size, LD_X: K, LD_Y: K },
    { x: large, w: identity, y: new Float32Array(2 * K) },
  );
  expect(Array.from(y)).toEqual(Array.from(large, v => Math.min(v, 65504)));
  const { dx } = await run(
    matrixInputGrad,
    { N: K, LD_DY: K, LD_DX: K },
    { dy: large, w: identity, dx: new Float32Array(2 * K) },
  );
  expect(dx.subarray(0, K).every(v => v === 0)).toBe(true);
  expect(dx.subarray(K).some(v => !Number.isFinite(v))).toBe(true);
});
