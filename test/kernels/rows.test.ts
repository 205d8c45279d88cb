/** Kernels that move rows or reduce them: embedding, gather, radius, sum, argmax. */
import { expect, test } from 'bun:test';
import { argmaxRows as referenceArgmax } from '../../kernels/argmax/reference.ts';
import { argmaxRows } from '../../kernels/argmax/spec.ts';
import { embeddingForward as referenceEmbedding } from '../../kernels/embedding/reference.ts';
import { embeddingForward } from '../../kernels/embedding/spec.ts';
import { reduceSum as referenceSum } from '../../kernels/reduce/reference.ts';
import { reduceSum } from '../../kernels/reduce/spec.ts';
import { NOTHING, rowsGather as referenceGather } from '../../kernels/rows/reference.ts';
import { rowsGather } from '../../kernels/rows/spec.ts';
import { gpuTest, runKernel } from '../gpu/harness.ts';
import { expectClose, generator, randomMatrix } from './numbers.ts';

const floats = (n: number) => new Float32Array(n);

gpuTest('embedding.forward looks rows up, more columns than one workgroup covers', async () => {
  const LD = 304;
  const random = generator(1);
  const table = randomMatrix(2, 886, 301, LD);
  for (const tokens of [1, 37, 129]) {
    const ids = Uint32Array.from({ length: tokens }, (_, i) => (i === 0 ? 885 : Math.floor(random() * 886)));
    const { out } = await runKernel(
      embeddingForward,
      { LD },
      { ids, w: table, out: floats(tokens * LD) },
      { frame: { tokens }, workgroups: [Math.ceil(LD / 4 / 64), tokens] },
    );
    expect(Array.from(out)).toEqual(Array.from(referenceEmbedding({ LD }, ids, table)));
  }
});

gpuTest('rows beyond the current number stay untouched', async () => {
  const table = randomMatrix(2, 5, 4);
  const buffers = { ids: Uint32Array.of(4, 0, 0), w: table, out: floats(12) };
  const { out } = await runKernel(embeddingForward, { LD: 4 }, buffers, {
    frame: { tokens: 1 },
    workgroups: [1, 3],
  });
  expect(Array.from(out.subarray(0, 4))).toEqual(Array.from(table.subarray(16, 20)));
  expect(out.subarray(4).every(Number.isNaN)).toBe(true);
  const none = await runKernel(embeddingForward, { LD: 4 }, buffers, {
    frame: { tokens: 0 },
    workgroups: [1, 1],
  });
  expect(none.out.every(Number.isNaN)).toBe(true);
});

gpuTest('rows.gather takes targets from tokens and gives their gradients back', async () => {
  const LD = 36;
  const tokens = 129;
  const x = randomMatrix(3, tokens, 33, LD);
  const index = Uint32Array.from([0, 5, 36, 128]);
  const frame = { tokens, targets: index.length };
  const gathered = await runKernel(
    rowsGather,
    { LD, ROWS_ARE_TARGETS: true },
    { index, x, out: floats(index.length * LD) },
    { frame, workgroups: [1, index.length] },
  );
  expect(Array.from(gathered.out)).toEqual(Array.from(referenceGather({ LD }, index, x)));

  const inverse = new Uint32Array(tokens).fill(NOTHING);
  index.forEach((token, i) => {
    inverse[token] = i;
  });
  const dy = randomMatrix(4, index.length, 33, LD);
  const back = await runKernel(
    rowsGather,
    { LD, ROWS_ARE_TARGETS: false },
    { index: inverse, x: dy, out: floats(tokens * LD) },
    { frame, workgroups: [1, tokens] },
  );
  expect(Array.from(back.out)).toEqual(Array.from(referenceGather({ LD }, inverse, dy)));
  const product = (a: ArrayLike<number>, b: ArrayLike<number>) =>
    Array.from(a).reduce((sum, v, i) => sum + v * b[i], 0);
  expect(product(gathered.out, dy)).toBeCloseTo(product(x, back.out), 6);
});

gpuTest('reduce.sum adds to one element, over targets only', async () => {
  for (const targets of [0, 1, 37, 129, 3001]) {
    const x = randomMatrix(6, 1, targets + 5).map(v => v + 1);
    const before = Float32Array.of(1, 2, 3);
    const { out } = await runKernel(
      reduceSum,
      { OUT_INDEX: 1 },
      { x, out: before },
      { frame: { targets, loss_scale: 0.125 }, workgroups: [1] },
    );
    expect([out[0], out[2]]).toEqual([1, 3]);
    expectClose(`reduce.sum ${targets}`, [out[1]], [2 + referenceSum(x.subarray(0, targets), 0.125)]);
  }
});

gpuTest('argmax.rows: first of equals, ±1e4, infinity, NaN, columns past the vocabulary', async () => {
  for (const [VOCAB, LD] of [
    [886, 888],
    [301, 320],
    [3, 4],
  ]) {
    const logits = randomMatrix(8, 9, VOCAB, LD, 1e4);
    const set = (row: number, value: (c: number) => number) => {
      for (let c = 0; c < LD; c++) logits[row * LD + c] = value(c);
    };
    set(1, () => 0);
    set(2, c => (c === VOCAB - 1 ? 1 : 0));
    set(3, c => (c >= VOCAB ? 9 : -c));
    set(4, c => (c % 70 === 2 ? 5 : -1e4));
    set(5, c => (c === 2 ? 1 : Number.NEGATIVE_INFINITY));
    set(6, c => (c === 1 ? 1 : Number.NaN));
    const targets = logits.length / LD;
    const { out } = await runKernel(
      argmaxRows,
      { VOCAB, LD },
      { logits, out: new Uint32Array(targets) },
      { frame: { targets }, workgroups: [targets] },
    );
    expect(Array.from(out)).toEqual(Array.from(referenceArgmax({ VOCAB, LD }, logits)));
  }
});

test('references on numbers one can check by hand', () => {
  expect(Array.from(referenceEmbedding({ LD: 2 }, [1, 0], [1, 2, 3, 4]))).toEqual([3, 4, 1, 2]);
  expect(Array.from(referenceGather({ LD: 2 }, [1, NOTHING], [1, 2, 3, 4]))).toEqual([3, 4, 0, 0]);
  expect(Array.from(referenceArgmax({ VOCAB: 3, LD: 4 }, [1, 2, 2, 9]))).toEqual([1]);
});
