import { describe, expect, test } from 'bun:test';
import {
  type AttentionShape,
  attentionBackward as referenceBackward,
  attentionForward as referenceForward,
} from '../../kernels/attention/reference.ts';
import * as specs from '../../kernels/attention/spec.ts';
import { gpuTest as anyGpuTest, quadTest, runKernel } from '../gpu/harness.ts';
import { expectClose, expectGradient, expectZeroPadding, packed, randomMatrix } from './numbers.ts';

const VARIANTS = [
  {
    name: 'attention',
    gpuTest: anyGpuTest,
    forward: specs.attentionForward,
    backwardQ: specs.attentionBackwardQ,
    backwardKv: specs.attentionBackwardKv,
    workgroups: (tokens: number, heads: number): [number, number?] => [Math.ceil((tokens * heads) / 64)],
  },
  {
    name: 'attention, four neighbours sharing',
    gpuTest: quadTest,
    forward: specs.attentionForwardQuads,
    backwardQ: specs.attentionBackwardQQuads,
    backwardKv: specs.attentionBackwardKvQuads,
    workgroups: (tokens: number, heads: number): [number, number?] => [
      Math.ceil(tokens / specs.ATTENTION_BLOCK),
      heads,
    ],
  },
];

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

/** Ranges of keys, and of queries from them: those of a key follow each other. */
function inverse(keys: Uint32Array, rows: number): Uint32Array {
  const queries = new Uint32Array(2 * rows);
  for (let row = 0; row < rows; row++) {
    const seeing = Array.from({ length: keys.length / 2 }, (_, t) => t).filter(
      t => keys[2 * t] <= row && row < keys[2 * t + 1],
    );
    if (seeing.length > 0) queries.set([seeing[0], seeing.at(-1)! + 1], 2 * row);
  }
  return queries;
}

/** Half-open ranges. */
const spans = (text: string): number[][] => text.split(' ').map(span => span.split('-').map(Number));

/** Tokens of sequences [first, end), in which a token sees itself and those before it, of them `window` at most. */
function segments(tokens: number, sequences: number[][], window = Infinity): Uint32Array {
  const keys = new Uint32Array(2 * tokens);
  for (const [first, end] of sequences)
    for (let t = first; t < end; t++) keys.set([Math.max(first, t + 1 - window), t + 1], 2 * t);
  return keys;
}

for (const variant of VARIANTS) {
  const { gpuTest } = variant;

  const forward = (p: AttentionShape, q: Float32Array, kv: Float32Array, keys: Uint32Array) => {
    const tokens = keys.length / 2;
    return runKernel(
      variant.forward,
      { ...p },
      { q, kv, keys, o: floats(q.length), lse: floats(tokens * p.Q_HEADS) },
      { frame: { tokens }, workgroups: variant.workgroups(tokens, p.Q_HEADS) },
    );
  };

  /** All three kernels against the reference. The gradient starts from the reference's results. */
  async function compare(p: AttentionShape, keys: Uint32Array, scale = 1, unscored = 0): Promise<void> {
    const tokens = keys.length / 2;
    const width = p.Q_HEADS * p.HEAD_SIZE;
    const q = randomMatrix(41, tokens, width, p.LD_Q, scale);
    const kv = randomMatrix(42, tokens, 2 * p.KV_HEADS * p.HEAD_SIZE, p.LD_KV, scale);
    const d_o = randomMatrix(43, tokens, width, p.LD_Q);
    // All scores of the last tokens are equal.
    q.fill(0, (tokens - unscored) * p.LD_Q);
    const frame = { tokens };

    const want = referenceForward(p, q, kv, keys);
    const got = await forward(p, q, kv, keys);
    // A score of s rounds by about s·2^-24 and its weight by as much, so the bound follows the largest score.
    const largest = want.lse.reduce((a, b) => Math.max(a, Math.abs(b)), 1);
    const tolerance = Math.max(1e-5, largest * 2 ** -22);
    expectClose('o', got.o, want.o, tolerance);
    expectClose('lse', got.lse, want.lse);
    expectZeroPadding(got.o, width, p.LD_Q);

    const gradient = referenceBackward(p, q, kv, keys, d_o);
    const [o, lse] = [Float32Array.from(want.o), Float32Array.from(want.lse)];
    const back = await runKernel(
      variant.backwardQ,
      { ...p },
      { q, kv, keys, d_o, o, lse, dq: floats(q.length), delta: floats(lse.length) },
      { frame, workgroups: variant.workgroups(tokens, p.Q_HEADS) },
    );
    expectClose('delta', back.delta, gradient.delta, tolerance);
    expectClose('dq', back.dq, gradient.dq, tolerance);
    expectZeroPadding(back.dq, width, p.LD_Q);

    const delta = Float32Array.from(gradient.delta);
    const { dkv } = await runKernel(
      variant.backwardKv,
      { ...p },
      { q, kv, queries: inverse(keys, tokens), d_o, lse, delta, dkv: floats(kv.length) },
      { frame, workgroups: variant.workgroups(tokens, p.KV_HEADS) },
    );
    expectClose('dkv', dkv, gradient.dkv, tolerance);
    expectZeroPadding(dkv, 2 * p.KV_HEADS * p.HEAD_SIZE, p.LD_KV);
  }

  describe(variant.name, () => {
    for (const [qHeads, kvHeads, size, gap, scale] of [
      [4, 2, 32, 0, 1],
      [3, 3, 24, 8, 4],
      [6, 2, 12, 4, 40],
      [2, 1, 40, 4, 1],
      [1, 1, 128, 0, 1],
    ]) {
      gpuTest(`${qHeads}/${kvHeads}×${size}, q and k up to ${scale}`, () =>
        compare(shapeOf(qHeads, kvHeads, size, gap), packed([37, 1, 129, 2, 3]).keys, scale, 3),
      );
    }

    gpuTest('numbers of tokens around those that one invocation, four and a workgroup take', async () => {
      for (const tokens of [1, 2, 3, 5, 7, 8, 9, 31, 33, 63, 65])
        await compare(shapeOf(2, 1, 8, 4), packed([tokens]).keys);
    });

    gpuTest('several sequences among eight neighbours, each of another length', () =>
      compare(shapeOf(4, 2, 16, 0), packed([1, 1, 3, 2, 5, 1, 4, 9, 2, 7, 1, 1, 1, 6, 13]).keys),
    );

    gpuTest('windows, within sequences and across many rows', async () => {
      for (const window of [1, 3, 5, 16]) {
        const keys = segments(75, spans('0-41 41-44 44-75'), window);
        await compare(shapeOf(2, 1, 8, 4), keys);
      }
    });

    gpuTest('unused tokens between sequences and around them', () =>
      compare(shapeOf(2, 1, 8, 4), segments(43, spans('1-6 9-10 10-14 17-22 38-41'))),
    );

    gpuTest('over a cache: keys elsewhere than queries, a token without keys, scores of ±1e4', async () => {
      const p = shapeOf(2, 1, 8, 4);
      const keys = Uint32Array.of(5, 11, 3, 3, 0, 20);
      const q = randomMatrix(51, 3, 16, p.LD_Q, 100);
      const kv = randomMatrix(52, 20, 16, p.LD_KV, 100);
      const want = referenceForward(p, q, kv, keys);
      expect(Math.max(...want.lse)).toBeGreaterThan(5e3);
      const got = await forward(p, q, kv, keys);
      expectClose('o', got.o, want.o, 1e-3);
      expectClose('lse', got.lse, want.lse);
      expect(got.o.subarray(p.LD_Q, 2 * p.LD_Q).every(v => v === 0)).toBe(true);
    });

    gpuTest('neighbours whose keys lie far apart: rows between them are never read', async () => {
      const p = shapeOf(2, 1, 8, 0);
      const ranges = spans('0-7 40-49 40-50 8-8 20-21 13-15 14-16 30-31 3-9 60-61');
      const keys = Uint32Array.from(ranges.flat());
      const q = randomMatrix(53, ranges.length, 16);
      const kv = randomMatrix(54, 64, 16);
      const want = referenceForward(p, q, kv, keys);
      for (let r = 0; r < 64; r++) {
        if (!ranges.some(([first, end]) => r >= first && r < end))
          kv.fill(Number.NaN, r * p.LD_KV, (r + 1) * p.LD_KV);
      }
      const got = await forward(p, q, kv, keys);
      expectClose('o', got.o, want.o);
      expectClose('lse', got.lse, want.lse);
    });

    gpuTest('gives the same bits on every run', async () => {
      const p = shapeOf(4, 2, 32, 0);
      const { tokens, keys } = packed([60, 9]);
      const q = randomMatrix(61, tokens, p.LD_Q);
      const kv = randomMatrix(62, tokens, p.LD_KV);
      expect(await forward(p, q, kv, keys)).toEqual(await forward(p, q, kv, keys));
    });
  });
}
