import { expect, test } from 'bun:test';
import {
  type HeadsShape,
  headsBackward as referenceBackward,
  headsForward as referenceForward,
  ropeTable,
} from '../../kernels/heads/reference.ts';
import { headsBackward, headsForward } from '../../kernels/heads/spec.ts';
import { gpuTest, runKernel } from '../gpu/harness.ts';
import { expectClose, expectGradient, expectZeroPadding, packed, randomMatrix } from './numbers.ts';

const floats = (n: number) => new Float32Array(n);

/** `gap` floats between q, k and v, and after them. */
function shapeOf(qHeads: number, kvHeads: number, size: number, gap: number, norm: boolean): HeadsShape {
  const K_COLUMN = qHeads * size + gap;
  const V_COLUMN = K_COLUMN + kvHeads * size + gap;
  return {
    Q_HEADS: qHeads,
    KV_HEADS: kvHeads,
    HEAD_SIZE: size,
    K_COLUMN,
    V_COLUMN,
    LD_QKV: V_COLUMN + kvHeads * size + gap,
    LD_Q: qHeads * size + gap,
    LD_KV: 2 * kvHeads * size + gap,
    HAS_NORM: norm,
    EPS: 1e-6,
  };
}

test('the reference turns a head as HF Llama does, and its gradient agrees with differences', () => {
  const quarter = Float64Array.of(0, 0, 1, 1);
  const p = shapeOf(1, 1, 4, 0, false);
  const { q, kv } = referenceForward(p, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12], [0], quarter, []);
  expect(Array.from(q)).toEqual([-3, -4, 1, 2]);
  expect(Array.from(kv)).toEqual([-7, -8, 5, 6, 9, 10, 11, 12]);

  for (const norm of [false, true]) {
    const shape = shapeOf(2, 1, 4, 4, norm);
    const { position } = packed([2, 1]);
    const rope = ropeTable(2, 4, 100);
    const norms = randomMatrix(1, 2, 4).map(v => v + 1);
    const x = randomMatrix(2, 3, shape.LD_QKV);
    const joined = (v: Float64Array) => {
      const out = referenceForward(shape, v, position, rope, norms);
      return Float64Array.of(...out.q, ...out.kv);
    };
    const split = 3 * shape.LD_Q;
    const back = (dy: Float64Array) =>
      referenceBackward(shape, dy.subarray(0, split), dy.subarray(split), x, position, rope, norms);
    expectGradient(x, joined, back);
  }
});

for (const [qHeads, kvHeads, size, gap, norm] of [
  [4, 2, 32, 0, false],
  [4, 4, 24, 8, true],
  [6, 2, 12, 4, true],
] as const) {
  gpuTest(
    `heads ${qHeads}/${kvHeads}×${size}, gaps of ${gap}, ${norm ? 'with' : 'without'} norm`,
    async () => {
      const p = shapeOf(qHeads, kvHeads, size, gap, norm);
      const { tokens, position } = packed([37, 1, 129]);
      const rope = Float32Array.from(ropeTable(160, size, 10_000));
      const norms = randomMatrix(31, 2, size).map(v => v + 1);
      const qkv = randomMatrix(32, tokens, p.LD_QKV, p.LD_QKV, 3);
      qkv.fill(0, 0, size);
      const workgroups = [Math.ceil((tokens * (qHeads + 2 * kvHeads)) / 64)] as [number];
      const optional: Record<string, Float32Array> = norm ? { norms } : {};
      const run = (USE_SLOT: boolean, more: Record<string, Uint32Array>, rows: number) =>
        runKernel(
          headsForward,
          { ...p, USE_SLOT },
          {
            qkv,
            position,
            rope,
            ...optional,
            ...more,
            q: floats(tokens * p.LD_Q),
            kv: floats(rows * p.LD_KV),
          },
          { frame: { tokens }, workgroups },
        );
      const want = referenceForward(p, qkv, position, rope, norms);
      const got = await run(false, {}, tokens);
      expectClose('heads.forward q', got.q, want.q);
      expectClose('heads.forward kv', got.kv, want.kv);
      expectZeroPadding(got.q, qHeads * size, p.LD_Q);
      expectZeroPadding(got.kv, 2 * kvHeads * size, p.LD_KV);

      if (gap === 4) {
        // A cache larger than the batch: only the named rows may change.
        const slot = Uint32Array.from({ length: tokens }, (_, t) => 2 * (tokens - 1 - t) + 1);
        const cached = await run(true, { slot }, 2 * tokens);
        for (let t = 0; t < tokens; t++) {
          const row = (x: ArrayLike<number>, r: number) =>
            Array.from({ length: p.LD_KV }, (_, c) => x[r * p.LD_KV + c]);
          expect(row(cached.kv, slot[t])).toEqual(row(got.kv, t));
          expect(row(cached.kv, slot[t] - 1).every(Number.isNaN)).toBe(true);
        }
      }

      const dq = randomMatrix(33, tokens, qHeads * size, p.LD_Q);
      const dkv = randomMatrix(34, tokens, 2 * kvHeads * size, p.LD_KV);
      const { dqkv } = await runKernel(
        headsBackward,
        { ...p },
        { dq, dkv, qkv, position, rope, ...optional, dqkv: floats(qkv.length) },
        { frame: { tokens }, workgroups },
      );
      const gradient = referenceBackward(p, dq, dkv, qkv, position, rope, norms);
      expectClose('heads.backward', dqkv, gradient);
      // The zero head's gradient is 1/√EPS times larger than the others, so look at the rest alone too.
      expectClose('heads.backward after token 0', dqkv.subarray(p.LD_QKV), gradient.subarray(p.LD_QKV));
      const used = [0, p.K_COLUMN, p.V_COLUMN].map((start, i) => [
        start,
        start + (i ? kvHeads : qHeads) * size,
      ]);
      for (let i = 0; i < dqkv.length; i++) {
        const column = i % p.LD_QKV;
        if (!used.some(([start, end]) => column >= start && column < end) && dqkv[i] !== 0) {
          throw new Error(`padding column ${column} of token ${Math.floor(i / p.LD_QKV)} holds ${dqkv[i]}`);
        }
      }
    },
  );
}
