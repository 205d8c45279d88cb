/** Stored weights: each storage on the host against definitions written down here, and the kernels against the host. */
import { describe, expect, test } from 'bun:test';
import { rowWords, STORAGES, storagesFor } from '../../compiler/plan/storage.ts';
import { embeddingForward } from '../../kernels/embedding/spec.ts';
import * as specs from '../../kernels/linear/spec.ts';
import { LINEAR_GRIDS } from '../../kernels/linear/tiles.ts';
import type { KernelSpec, ParamValue } from '../../kernels/spec.ts';
import { withStorage } from '../../kernels/weights/storage.ts';
import { Fault } from '../../src/report/fault.ts';
import { fromE4m3, fromHalf, toBfloat, toE4m3, toHalf } from '../../src/runtime/float16.ts';
import { checkLosses, noLosses, packRows, unpackRows } from '../../src/runtime/pack-weights.ts';
import { type Data, gpuTest, relativeError, runKernel } from '../gpu/harness.ts';

/** Roughly normal numbers, as weights are; every 97th is an outlier. */
function weights(count: number, seed = 1, scale = 0.03): Float32Array {
  let state = seed;
  const next = () => {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    return state / 2 ** 32;
  };
  return Float32Array.from(
    { length: count },
    (_, i) => scale * (next() + next() + next() + next()) * (i % 97 ? 1 : 9),
  );
}

describe('narrow numbers', () => {
  test('f16 patterns survive, and halves between two round to even', () => {
    for (let half = 0; half < 0x7c00; half++) {
      expect(toHalf(fromHalf(half))).toBe(half);
      if (half === 0x7bff) continue;
      const middle = (fromHalf(half) + fromHalf(half + 1)) / 2;
      expect(toHalf(middle)).toBe(half + (half & 1));
    }
    expect([toHalf(-2), toHalf(65519.99), toHalf(65520), toHalf(-1e30)]).toEqual([
      0xc000, 0x7bff, 0x7c00, 0xfc00,
    ]);
  });

  test('e4m3 patterns survive, and others go to the nearest', () => {
    for (let byte = 0; byte < 0x7f; byte++) expect(toE4m3(fromE4m3(byte))).toBe(byte);
    for (let x = -460; x < 460; x += 0.37) {
      const all = Array.from({ length: 256 }, (_, b) => b).filter(b => (b & 0x7f) !== 0x7f);
      const nearest = Math.min(...all.map(b => Math.abs(fromE4m3(b) - x)));
      expect(Math.abs(fromE4m3(toE4m3(x)) - x)).toBe(nearest);
    }
  });

  test('bfloat16 rounds to even', () => {
    const bits = (x: number) => new Uint32Array(Float32Array.of(x).buffer)[0];
    expect([1, 1 + 2 ** -8, 1 + 3 * 2 ** -8, -1.5].map(x => toBfloat(bits(x)))).toEqual([
      0x3f80, 0x3f80, 0x3f82, 0xbfc0,
    ]);
  });
});

/** QLoRA, arXiv 2305.14314, appendix E, in double precision and without cleverness. */
const LEVELS = [
  -1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, -0.28444138169288635,
  -0.18477343022823334, -0.09105003625154495, 0.0, 0.07958029955625534, 0.16093020141124725,
  0.24611230194568634, 0.33791524171829224, 0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1.0,
];

function nf4Codes(row: Float32Array): number[] {
  return Array.from(row, (value, i) => {
    const start = i - (i % 64);
    const absmax = Math.max(...Array.from(row.subarray(start, start + 64), Math.abs));
    const distances = LEVELS.map(level => Math.abs(value / absmax - level));
    return distances.indexOf(Math.min(...distances));
  });
}

test('nf4 codes equal those of a plain quantiser', () => {
  const [rows, columns, ld] = [7, 200, 200];
  const values = weights(rows * columns);
  const words = packRows('nf4', values, columns, ld);
  const pitch = rowWords('nf4', ld);
  for (let r = 0; r < rows; r++) {
    const codes = words.subarray(r * pitch + 2 + 1, (r + 1) * pitch);
    const got = Array.from({ length: columns }, (_, c) => (codes[c >> 3] >>> (4 * (c & 7))) & 15);
    expect(got).toEqual(nf4Codes(values.subarray(r * columns, (r + 1) * columns)));
  }
});

test('nf4 scales are the mean plus a byte times the unit, within half a step of e4m3', () => {
  const values = weights(640);
  const scales = Array.from({ length: 10 }, (_, b) =>
    Math.max(...Array.from(values.subarray(b * 64, (b + 1) * 64), Math.abs)),
  );
  const mean = scales.reduce((a, b) => a + b) / 10;
  const back = unpackRows('nf4', packRows('nf4', values, 640, 640), 640, 640);
  scales.forEach((scale, b) => {
    const stored = Math.max(...Array.from(back.subarray(b * 64, (b + 1) * 64), Math.abs));
    expect(Math.abs(stored - scale)).toBeLessThan(Math.abs(scale - mean) / 16 + 1e-6);
  });
});

test('exact storages lose nothing, the others as little as their step allows', () => {
  const values = weights(3 * 172);
  const halves = values.map(x => fromHalf(toHalf(x)));
  expect(unpackRows('f16', packRows('f16', halves, 172, 172), 172, 172)).toEqual(halves);
  const brains = new Float32Array(
    new Uint32Array(values.buffer).map(bits => (bits & 0xffff0000) >>> 0).buffer,
  );
  expect(unpackRows('bf16', packRows('bf16', brains, 172, 172), 172, 172)).toEqual(brains);
  const errors = STORAGES.map(s =>
    relativeError(unpackRows(s, packRows(s, values, 172, 172), 172, 172), values),
  );
  const limits = [0, 2 ** -9, 2 ** -12, 0.02, 0.2, 0.2];
  errors.forEach((error, i) => {
    expect(error).toBeLessThanOrEqual(limits[i]);
  });
});

test('columns beyond the width and rows of zeros are zeros', () => {
  for (const storage of STORAGES) {
    const zeros = unpackRows(storage, packRows(storage, new Float32Array(130), 65, 68), 65, 68);
    expect(zeros.every(x => x === 0)).toBe(true);
    const empty = unpackRows(storage, new Uint32Array(rowWords(storage, 68)), 68, 68);
    expect(empty.every(x => x === 0)).toBe(true);
  }
});

test('values a storage cannot hold are counted and refused, with the name of the tensor', () => {
  const losses = noLosses();
  packRows('f16', Float32Array.of(1, 7e4, -1e9, 1e-9, 0, 2, 3, 4), 8, 8, losses);
  expect(losses).toEqual({ values: 8, overflow: 2, flushed: 1 });
  expect(() => checkLosses('model.x', 'f16', losses)).toThrow(Fault);
  expect(() => checkLosses('model.x', 'f16', losses)).toThrow('2 of the 8 numbers of `model.x`');
  expect(() => checkLosses('model.x', 'f16', { values: 8, overflow: 0, flushed: 1 })).toThrow('make');
  checkLosses('model.x', 'f16', { values: 10_000, overflow: 0, flushed: 9 });
  const wide = noLosses();
  packRows('int4', Float32Array.of(1e6, 0, 0, 0), 4, 4, wide);
  packRows('bf16', Float32Array.of(3.4e38, 0, 0, 0), 4, 4, wide);
  expect(wide.overflow).toBe(5);
});

test('token tables are never stored in four bits', () => {
  expect(storagesFor('nf4', 'bf16')).toEqual({ linear: 'nf4', table: 'int8' });
  expect(storagesFor('auto', 'f16')).toEqual({ linear: 'f16', table: 'f16' });
  expect(storagesFor('auto', undefined)).toEqual({ linear: 'f32', table: 'f32' });
});

const LINEAR: KernelSpec[] = [
  specs.linearForward,
  specs.linearForwardTiled,
  specs.linearForwardFew,
  specs.linearInputGrad,
  specs.linearInputGradTiled,
];

for (const storage of STORAGES.filter(s => s !== 'f32')) {
  describe(storage, () => {
    // a row count and a width that fit no tile, no block and no word of codes
    const [rows, K, N] = [37, 172, 52];
    const stored = packRows(storage, weights(N * K, 3), K, K);
    const plain = unpackRows(storage, stored, K, K);

    for (const spec of LINEAR) {
      gpuTest(`${spec.name} equals f32 over the same weights`, async () => {
        const forward = spec.name.startsWith('linear.forward');
        const left = weights(rows * (forward ? K : N), 5, 1);
        const single = { SEGMENTS: 1, SEG_S: [0], SEG_RANK: [0], SEG_B: [0], SEG_COLUMN: [0, N] };
        const params: Record<string, ParamValue> = forward
          ? { LD_X: K, N, LD_Y: N, LD_S: 4, ...single }
          : { N, LD_DY: N, LD_DX: K };
        const { XC, YR } = LINEAR_GRIDS[spec.name as keyof typeof LINEAR_GRIDS];
        const run = async (kernel: KernelSpec, w: Float32Array | Uint32Array) => {
          const site = Uint32Array.of(0, 0, 0xffffffff, 0);
          const buffers: Record<string, Data> = forward
            ? { site, x: left, w, y: new Float32Array(rows * N) }
            : { site, dy: left, w, dx: new Float32Array(rows * K) };
          const workgroups: [number, number] = [Math.ceil((forward ? N : K) / XC), Math.ceil(rows / YR)];
          const out = await runKernel(kernel, params, buffers, { frame: { tokens: rows }, workgroups });
          return out[forward ? 'y' : 'dx'];
        };
        const got = await run(withStorage(spec, storage), stored);
        expect(relativeError(got, await run(spec, plain))).toBeLessThan(2e-6);
      });
    }

    gpuTest('embedding.forward looks up what the host unpacks', async () => {
      const ids = Uint32Array.of(3, 51, 0);
      const out = new Float32Array(3 * K);
      const options = { frame: { tokens: 3 }, workgroups: [1, 3] as [number, number] };
      const got = await runKernel(
        withStorage(embeddingForward, storage),
        { LD: K },
        { ids, w: stored, out },
        options,
      );
      const want = [...ids].flatMap(id => [...plain.subarray(id * K, (id + 1) * K)]);
      expect(relativeError(got.out, want)).toBeLessThan(1e-7);
    });
  });
}

gpuTest('every finite f16 pattern unpacks exactly on the device', async () => {
  const halves = Uint32Array.from({ length: 2 * 0x7c00 }, (_, i) => (i < 0x7c00 ? i : 0x8000 + i - 0x7c00));
  const words = Uint32Array.from(
    { length: halves.length / 2 },
    (_, i) => halves[2 * i] | (halves[2 * i + 1] << 16),
  );
  const [ld, rows] = [1024, halves.length / 1024];
  const { out } = await runKernel(
    withStorage(embeddingForward, 'f16'),
    { LD: ld },
    { ids: Uint32Array.from({ length: rows }, (_, i) => i), w: words, out: new Float32Array(ld * rows) },
    { frame: { tokens: rows }, workgroups: [4, rows] },
  );
  expect(Array.from(out)).toEqual(Array.from(halves, fromHalf));
});
