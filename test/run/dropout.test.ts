/**
 * Dropout, seen directly: an adapter whose update is the identity shows its mask in what it adds and, backwards, in the
 * gradient of its input.
 */
import { expect } from 'bun:test';
import { compileAdapter } from '../../compiler/adapter.ts';
import { insert, parameterFloats } from '../../src/runtime/parameters.ts';
import { EVALUATION, switchAdapters } from '../../src/runtime/session.ts';
import { gpuTest } from '../gpu/harness.ts';
import { openCompiled, programOf } from './small.ts';

const WIDTH = 32;
const TOKENS = 256;
const P = 0.2;

gpuTest('dropout: one mask forward and backward, the expected share, off in evaluation', async () => {
  const { adapters, train } = programOf({
    adapters: `adapter q_proj < rank: ${WIDTH}; alpha: ${WIDTH}; dropout: ${P}; experts: euclid >`,
  });
  const compiled = compileAdapter(
    adapters[0],
    { path: 'layer', in: WIDTH, out: WIDTH, bias: false },
    TOKENS,
    train,
  );
  const { plan, executor } = await openCompiled(compiled);
  const identity = Float32Array.from({ length: WIDTH ** 2 }, (_, i) => (i % (WIDTH + 1) === 0 ? 1 : 0));
  const flat = new Float32Array(parameterFloats(plan));
  for (const p of plan.parameters) insert(flat, p, identity);
  executor.write('params', flat);
  switchAdapters(executor, new Set(plan.slots));
  const ones = new Float32Array(TOKENS * WIDTH).fill(1);
  executor.write('x', ones);
  executor.write('dy', ones);
  const run = async (frame: Partial<typeof EVALUATION>) => {
    executor.clear('grads', 'row');
    const symbols = { tokens: TOKENS, targets: 0, rows: 1 };
    await executor.run(['refresh', 'adapter.forward', 'adapter.backward'], symbols, {
      ...EVALUATION,
      training: true,
      seed: 3,
      step: 5,
      micro: 1,
      ...frame,
    });
    const [y, dx, grads] = await Promise.all([
      executor.read('y', ones.length),
      executor.read('dx', ones.length),
      executor.read('grads', flat.length),
    ]);
    return { y, dx, grads };
  };

  const { y, dx, grads } = await run({});
  const kept = 1 / (1 - P);
  expect(y.every(v => v === 0 || Math.abs(v - kept) < 1e-6)).toBe(true);
  expect(dx).toEqual(y);
  // 8,192 draws: four standard deviations are 0.018; every column and every token has its own
  const dropped = (values: ArrayLike<number>) =>
    Array.from(values).filter(v => v === 0).length / values.length;
  expect(Math.abs(dropped(y) - P)).toBeLessThan(0.018);
  const columns = Array.from({ length: WIDTH }, (_, c) => dropped(y.filter((_, i) => i % WIDTH === c)));
  expect(Math.min(...columns)).toBeGreaterThan(0.08);
  expect(Math.max(...columns)).toBeLessThan(0.32);
  // dA = Σ_t dz ⊗ mask∘x: column sums of the mask, since dz is 1 everywhere
  const a = plan.parameters.find(p => p.kind === 'A')!;
  const sums = Array.from({ length: WIDTH }, (_, c) =>
    y.filter((_, i) => i % WIDTH === c).reduce((s, v) => s + v, 0),
  );
  for (let r = 0; r < WIDTH; r++)
    for (let c = 0; c < WIDTH; c++)
      expect(Math.abs(grads[a.offset + r * a.ld + c] - sums[c])).toBeLessThan(1e-3);

  expect((await run({})).y).toEqual(y);
  const masks = [y, (await run({ seed: 4 })).y, (await run({ step: 6 })).y, (await run({ micro: 2 })).y];
  for (const [i, one] of masks.entries())
    for (const other of masks.slice(i + 1)) {
      // independent masks agree in p² + (1 − p)² = 68 % of places
      const same = one.filter((v, k) => v === other[k]).length / one.length;
      expect(Math.abs(same - 0.68)).toBeLessThan(0.03);
    }
  expect((await run({ training: false })).y).toEqual(ones);
  executor.close();
});
