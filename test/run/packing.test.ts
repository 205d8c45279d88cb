/** Samples of one batch lie end to end without padding; nothing of one may reach another. */
import { expect } from 'bun:test';
import { pack } from '../../src/data/batches.ts';
import { EVALUATION, symbolsOf, writeBatch } from '../../src/runtime/session.ts';
import { gpuTest, relativeError } from '../gpu/harness.ts';
import { openSmall, randomParameters, sequences, type Text } from './small.ts';

/** No balance loss: that is of a batch, not of a sample. */
const TEXT: Text = {
  adapters: 'adapter q_proj, down_proj < rank: 4; experts: hyperbolic, euclid; router: top1(aux=0) >',
};
const SAMPLES = sequences(21, [9, 1, 17, 2, 30], 3);

gpuTest('loss and gradients of a packed batch are those of its samples one by one', async () => {
  const { executor, session, plan } = await openSmall(TEXT, { logits: true });
  const floats = plan.buffers.find(b => b.name === 'grads')!.bytes / 4;
  const run = async (batches: ReturnType<typeof pack>[]) => {
    session.start(randomParameters(plan, 4));
    const { loss, targets } = await session.step(batches, 0, 0, 0);
    return { loss, targets, gradients: await executor.read('grads', floats) };
  };
  const together = await run([pack(SAMPLES)]);
  const apart = await run(SAMPLES.filter(s => s.ids.length > 1).map(s => pack([s])));
  expect(together.targets).toBe(apart.targets);
  expect(Math.abs(together.loss - apart.loss)).toBeLessThan(1e-6 * apart.loss);
  expect(relativeError(together.gradients, apart.gradients)).toBeLessThan(1e-5);
});

gpuTest('logits of a sample are the same to the bit whatever stands beside it', async () => {
  const { executor, session, plan } = await openSmall(TEXT, { logits: true });
  session.start(randomParameters(plan, 4));
  const logits = async (samples: typeof SAMPLES) => {
    const batch = pack(samples);
    const everywhere = Uint32Array.from({ length: batch.tokens }, (_, t) => t);
    const all = { ...batch, targets: batch.tokens, targetIndex: everywhere, targetOf: everywhere };
    writeBatch(executor, all);
    await executor.run(['refresh', 'logits'], symbolsOf(all), EVALUATION);
    return executor.read('logits', batch.tokens * plan.generation!.columns);
  };
  const others = sequences(
    99,
    SAMPLES.map(s => s.ids.length),
  );
  const [mine, theirs] = [
    await logits(SAMPLES),
    await logits([others[0], others[1], SAMPLES[2], others[3], others[4]]),
  ];
  const of = (values: Float32Array) =>
    values.slice(10 * plan.generation!.columns, 27 * plan.generation!.columns);
  expect(of(theirs)).toEqual(of(mine));
  expect(theirs).not.toEqual(mine);
});
