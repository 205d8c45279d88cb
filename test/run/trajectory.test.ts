/** Ways to train that must walk the same path, over steps of the optimiser; faster kernels: fast.test.ts. */
import { describe, expect, spyOn } from 'bun:test';
import type { PackedBatch } from '../../src/data/batches.ts';
import { pack } from '../../src/data/batches.ts';
import { gpuTest, relativeError } from '../gpu/harness.ts';
import { batchOf, EVERYTHING, openSmall, PLAIN, type Rig, randomParameters, sequences } from './small.ts';

/** Losses and parameters after one optimiser step per entry of `steps`, each a list of micro-batches. */
async function train({ plan, session }: Rig, steps: PackedBatch[][], seed = 1) {
  const start = randomParameters(plan, 8);
  session.start(start);
  const losses: number[] = [];
  for (const [step, batches] of steps.entries())
    losses.push((await session.step(batches, 1, step, seed)).loss);
  const end = await session.parameters();
  return { losses, moved: end.map((v, i) => v - start[i]) };
}

const STEPS = [0, 1, 2, 3, 4];
/** Different lengths, and only what follows the first tokens is learned, so that target counts differ. */
const LENGTHS = [
  [20, 4, 9],
  [5, 31, 6],
  [12, 7, 7],
  [8, 32, 2],
  [3, 15, 11],
];
const data = STEPS.map(i => sequences(100 + i, LENGTHS[i], 1));
const whole = data.map(samples => [pack(samples)]);

describe('one path', () => {
  gpuTest('micro-batches of unequal size equal one batch of them all', async () => {
    const rig = await openSmall(PLAIN);
    const plain = await train(rig, whole);
    const split = await train(
      rig,
      data.map(([a, b, c]) => [pack([a]), pack([b, c])]),
    );
    const single = await train(
      rig,
      data.map(samples => samples.map(s => pack([s]))),
    );
    for (const other of [split, single]) {
      expect(relativeError(other.losses, plain.losses)).toBeLessThan(1e-5);
      expect(relativeError(other.moved, plain.moved)).toBeLessThan(1e-3);
    }
    // Adam makes a full step of the sign of a gradient however small: where parameters are compared, most agree far better
    expect(agreeing(split.moved, plain.moved, 1e-4)).toBeGreaterThan(0.999);
    expect(plain.moved.some(v => Math.abs(v) > 0.03)).toBe(true);
  });

  gpuTest('the order of sequences in a batch does not matter', async () => {
    const rig = await openSmall(PLAIN);
    const forwards = await train(rig, whole.slice(0, 2));
    const backwards = await train(
      rig,
      data.slice(0, 2).map(samples => [pack(samples.toReversed())]),
    );
    expect(relativeError(backwards.losses, forwards.losses)).toBeLessThan(1e-6);
    expect(relativeError(backwards.moved, forwards.moved)).toBeLessThan(1e-3);
  });

  gpuTest('cross-entropy in chunks equals cross-entropy at once', async () => {
    const plain = await openSmall(PLAIN);
    const chunked = await openSmall(PLAIN, { logitsBytes: 64 * 64 * 4 });
    const heads = (rig: Rig) =>
      rig.plan.programs.forward.filter(
        d => rig.plan.kernels[d.variants[0].kernel].name === 'cross_entropy.rows',
      ).length;
    expect([heads(plain), heads(chunked)]).toEqual([1, 3]);
    // 150 targets: two full chunks and a part of the third; 70: the third is empty
    const steps = [[batchOf(7, [32, 32, 32, 32, 27])], [batchOf(8, [32, 32, 9])], [batchOf(9, [30, 5])]];
    const [a, b] = [await train(plain, steps), await train(chunked, steps)];
    expect(relativeError(b.losses, a.losses)).toBeLessThan(1e-6);
    expect(relativeError(b.moved, a.moved)).toBeLessThan(1e-4);
  });
});

/** Share of numbers that agree to `tolerance` of the largest. */
function agreeing(a: Float32Array, b: Float32Array, tolerance: number): number {
  const largest = b.reduce((m, v) => Math.max(m, Math.abs(v)), 0);
  return a.filter((v, i) => Math.abs(v - b[i]) <= tolerance * largest).length / a.length;
}

describe('the same numbers', () => {
  gpuTest('come from the same seed, to the bit; others from another', async () => {
    const rig = await openSmall(EVERYTHING);
    const steps = whole.slice(0, 3);
    const [a, b, other] = [
      await train(rig, steps, 1),
      await train(rig, steps, 1),
      await train(rig, steps, 2),
    ];
    expect(b).toEqual(a);
    expect(a.losses.every(Number.isFinite)).toBe(true);
    expect(relativeError(other.moved, a.moved)).toBeGreaterThan(1e-2);
  });
});

gpuTest('a scale of the loss, for the sake of f16, changes no bit where numbers are f32', async () => {
  const { plan, session } = await openSmall(EVERYTHING);
  const run = async (scale: number) => {
    session.start(randomParameters(plan, 8));
    const results = [];
    for (const step of [0, 1]) results.push(await session.step(whole[step], 1, step, 1, scale));
    return { results, state: await session.snapshot() };
  };
  const plain = await run(1);
  expect(plain.results.every(r => Number.isFinite(r.norm) && r.balance > 0)).toBe(true);
  expect(await run(2 ** 12)).toEqual(plain);
});

describe('the steady state', () => {
  gpuTest('batches of any length run on one plan without a new buffer or pipeline', async () => {
    const { executor, session, plan } = await openSmall(PLAIN);
    session.start(randomParameters(plan, 8));
    // everything a plan needs on the device is made by these
    const makers = [
      'createBuffer',
      'createBindGroup',
      'createComputePipelineAsync',
      'createShaderModule',
    ] as const;
    const { device } = executor.opened;
    const spies = makers.map(name => spyOn(device, name));
    try {
      for (let step = 0; step < 22; step++) {
        const lengths = Array.from({ length: 1 + (step % 5) }, (_, i) => 2 + ((7 * step + 5 * i) % 31));
        const { buffers } = executor.counters;
        const { loss } = await session.step(
          [batchOf(step, lengths), batchOf(50 + step, lengths.toReversed())],
          1,
          step,
          1,
        );
        expect(Number.isFinite(loss)).toBe(true);
        if (step < 2) for (const spy of spies) spy.mockClear();
        else expect(executor.counters.buffers).toBe(buffers);
      }
      for (const spy of spies) expect(spy).not.toHaveBeenCalled();
    } finally {
      for (const spy of spies) spy.mockRestore();
    }
  });
});
