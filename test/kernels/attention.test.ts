import { expect, test } from 'bun:test';
import {
  type AttentionShape,
  attentionBackward as referenceBackward,
  attentionForward as referenceForward,
} from '../../kernels/attention/reference.ts';
import { attentionBackwardKv, attentionBackwardQ, attentionForward } from '../../kernels/attention/spec.ts';
import { gpuTest, runKernel } from '../gpu/harness.ts';
import { expectClose, expectGradient, expectZeroPadding, packed, randomMatrix } from './numbers.ts';

const floats = (n: number) => new Float32Array(n);

function shapeOf(qHeads: number, kvHeads: number, size: number, gap: number): AttentionShape {
  return {
    Q_HEADS: qHeads,
    KV_HEADS: kvHeads,
    HEAD_SIZE: size,
    SCALE: Math.fround(1 / Math.sqrt(size)),
    LD_Q: qHeads * size + gap,
    LD_KV: 2 * kvHeads * size + gap,
  };
}

test('the reference gradient agrees with differences', () => {
  const p = shapeOf(4, 2, 4, 4);
  const { tokens, keys } = packed([3, 1, 4]);
  const q = randomMatrix(1, tokens, 16, p.LD_Q, 2);
  const kv = randomMatrix(2, tokens, 16, p.LD_KV, 2);
  expectGradient(
    q,
    v => referenceForward(p, v, kv, keys).o,
    dy => referenceBackward(p, q, kv, keys, dy).dq,
  );
  expectGradient(
    kv,
    v => referenceForward(p, q, v, keys).o,
    dy => referenceBackward(p, q, kv, keys, dy).dkv,
  );
});

for (const [qHeads, kvHeads, size, gap, scale] of [
  [4, 2, 32, 0, 1],
  [3, 3, 24, 8, 4],
  [6, 2, 12, 4, 40],
  [2, 1, 40, 4, 1],
]) {
  gpuTest(`attention ${qHeads}/${kvHeads}×${size}, q and k up to ${scale}`, async () => {
    const p = shapeOf(qHeads, kvHeads, size, gap);
    const lengths = [37, 1, 129, 2, 3];
    const { tokens, keys, queries } = packed(lengths);
    const q = randomMatrix(41, tokens, qHeads * size, p.LD_Q, scale);
    const kv = randomMatrix(42, tokens, 2 * kvHeads * size, p.LD_KV, scale);
    // All scores of the last segment are equal.
    q.fill(0, (tokens - 3) * p.LD_Q);
    const d_o = randomMatrix(43, tokens, qHeads * size, p.LD_Q);
    const params = { ...p, MAX_KEYS: 129 };
    const frame = { tokens };
    const perHead = [Math.ceil((tokens * qHeads) / 64)] as [number];

    const want = referenceForward(p, q, kv, keys);
    const got = await runKernel(
      attentionForward,
      params,
      { q, kv, keys, o: floats(q.length), lse: floats(tokens * qHeads) },
      { frame, workgroups: perHead },
    );
    // A score of s rounds by about s·2^-24 and its weight by as much, so the bound follows the largest score.
    const largest = want.lse.reduce((a, b) => Math.max(a, Math.abs(b)), 1);
    const tolerance = Math.max(1e-5, largest * 2 ** -22);
    expectClose('attention.forward o', got.o, want.o, tolerance);
    expectClose('attention.forward lse', got.lse, want.lse);
    expectZeroPadding(got.o, qHeads * size, p.LD_Q);

    const gradient = referenceBackward(p, q, kv, keys, d_o);
    const o = Float32Array.from(want.o);
    const lse = Float32Array.from(want.lse);
    const back = await runKernel(
      attentionBackwardQ,
      params,
      { q, kv, keys, d_o, o, lse, dq: floats(q.length), delta: floats(lse.length) },
      { frame, workgroups: perHead },
    );
    expectClose('attention.backward_q delta', back.delta, gradient.delta, tolerance);
    expectClose('attention.backward_q dq', back.dq, gradient.dq, tolerance);
    expectZeroPadding(back.dq, qHeads * size, p.LD_Q);

    const { dkv } = await runKernel(
      attentionBackwardKv,
      params,
      { q, kv, queries, d_o, lse, delta: Float32Array.from(gradient.delta), dkv: floats(kv.length) },
      { frame, workgroups: [Math.ceil((tokens * kvHeads) / 64)] },
    );
    expectClose('attention.backward_kv', dkv, gradient.dkv, tolerance);
    expectZeroPadding(dkv, 2 * kvHeads * size, p.LD_KV);
  });
}

gpuTest(
  'attention over a cache: keys elsewhere than queries, a token without keys, scores of ±1e4',
  async () => {
    const p = shapeOf(2, 1, 8, 4);
    const keys = Uint32Array.of(5, 11, 3, 3, 0, 20);
    const q = randomMatrix(51, 3, 16, p.LD_Q, 100);
    const kv = randomMatrix(52, 20, 16, p.LD_KV, 100);
    const want = referenceForward(p, q, kv, keys);
    expect(Math.max(...want.lse)).toBeGreaterThan(5e3);
    const got = await runKernel(
      attentionForward,
      { ...p, MAX_KEYS: 20 },
      { q, kv, keys, o: floats(q.length), lse: floats(6) },
      { frame: { tokens: 3 }, workgroups: [1] },
    );
    expectClose('attention.forward o', got.o, want.o, 1e-3);
    expectClose('attention.forward lse', got.lse, want.lse);
    expect(got.o.subarray(p.LD_Q, 2 * p.LD_Q).every(v => v === 0)).toBe(true);
  },
);

gpuTest('neighbours whose keys lie far apart: rows between them are never read', async () => {
  const p = shapeOf(2, 1, 8, 0);
  const ranges = [
    [0, 7],
    [40, 49],
    [40, 50],
    [8, 8],
    [20, 21],
  ];
  const q = randomMatrix(53, ranges.length, 16);
  const kv = randomMatrix(54, 50, 16);
  const want = referenceForward(p, q, kv, ranges.flat());
  for (let r = 0; r < 50; r++) {
    if (!ranges.some(([first, end]) => r >= first && r < end))
      kv.fill(Number.NaN, r * p.LD_KV, (r + 1) * p.LD_KV);
  }
  const got = await runKernel(
    attentionForward,
    { ...p, MAX_KEYS: 10 },
    { q, kv, keys: Uint32Array.from(ranges.flat()), o: floats(q.length), lse: floats(2 * ranges.length) },
    { frame: { tokens: ranges.length }, workgroups: [1] },
  );
  expectClose('attention.forward o', got.o, want.o);
  expectClose('attention.forward lse', got.lse, want.lse);
});

gpuTest('gradients of segments with unused tokens between and around them', async () => {
  const p = shapeOf(2, 1, 8, 4);
  const tokens = 23;
  const keys = new Uint32Array(2 * tokens);
  const queries = new Uint32Array(2 * tokens);
  for (const [first, end] of [
    [1, 6],
    [9, 10],
    [10, 14],
    [17, 22],
  ]) {
    for (let t = first; t < end; t++) {
      keys.set([first, t + 1], 2 * t);
      queries.set([t, end], 2 * t);
    }
  }
  const q = randomMatrix(55, tokens, 16, p.LD_Q);
  const kv = randomMatrix(56, tokens, 16, p.LD_KV);
  const d_o = randomMatrix(57, tokens, 16, p.LD_Q);
  const truth = referenceForward(p, q, kv, keys);
  const gradient = referenceBackward(p, q, kv, keys, d_o);
  const shared = { q, kv, d_o, lse: Float32Array.from(truth.lse) };
  const run = { frame: { tokens }, workgroups: [1] as [number] };
  const params = { ...p, MAX_KEYS: 5 };
  const back = await runKernel(
    attentionBackwardQ,
    params,
    { ...shared, keys, o: Float32Array.from(truth.o), dq: floats(q.length), delta: floats(2 * tokens) },
    run,
  );
  expectClose('attention.backward_q', back.dq, gradient.dq);
  const delta = Float32Array.from(gradient.delta);
  const { dkv } = await runKernel(
    attentionBackwardKv,
    params,
    { ...shared, queries, delta, dkv: floats(kv.length) },
    run,
  );
  expectClose('attention.backward_kv', dkv, gradient.dkv);
});

gpuTest('attention gives the same bits on every run', async () => {
  const p = shapeOf(4, 2, 32, 0);
  const { tokens, keys } = packed([60, 9]);
  const q = randomMatrix(61, tokens, p.LD_Q);
  const kv = randomMatrix(62, tokens, p.LD_KV);
  const run = () =>
    runKernel(
      attentionForward,
      { ...p, MAX_KEYS: 129 },
      { q, kv, keys, o: floats(q.length), lse: floats(tokens * 4) },
      { frame: { tokens }, workgroups: [Math.ceil((tokens * 4) / 64)] },
    );
  expect(await run()).toEqual(await run());
});
