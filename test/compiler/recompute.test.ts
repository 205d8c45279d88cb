/** `recompute: layer`: the same numbers to the bit, in the memory that a real model needs to fit a small GPU. */
import { describe, expect, test } from 'bun:test';
import { compile } from '../../compiler/index.ts';
import type { Plan } from '../../compiler/plan/schema.ts';
import { check } from '../../dsl/index.ts';
import { parseConfig } from '../../src/model/config.ts';
import { QWEN2 } from '../configs.ts';
import { gpuTest } from '../gpu/harness.ts';
import { batchOf, compileSmall, openSmall, randomParameters, type Text } from '../run/small.ts';

/** Dropout and router noise, and a lowest layer whose input needs no gradient. */
const adapters = `
adapter q_proj, down_proj < rank: 4; dropout: 0.3; experts: hyperbolic(c=learn(init=0.5)), euclid; router: top1(noise=0.2) >`;
const text = (recompute: string): Text => ({ adapters, train: `recompute: ${recompute}` });

gpuTest('gradients, losses and parameters are the same to the bit', async () => {
  const results = [];
  for (const how of ['none', 'layer']) {
    const { executor, session, plan } = await openSmall(text(how));
    session.start(randomParameters(plan, 3));
    const steps = [];
    for (let step = 0; step < 2; step++) {
      const batches = [batchOf(step, [13, 7, 22]), batchOf(step + 9, [5, 30])];
      const { loss, balance, norm } = await session.step(batches, 1, step, 77);
      steps.push(loss, balance, norm);
    }
    const floats = plan.buffers.find(b => b.name === 'grads')!.bytes / 4;
    results.push([...steps, ...(await executor.read('grads', floats)), ...(await session.parameters())]);
  }
  expect(results[1].every(Number.isFinite)).toBe(true);
  expect(results[1]).toEqual(results[0]);
});

test('what no gradient needs is not computed again', () => {
  const counts = (plan: Plan) =>
    plan.programs.backward.filter(d => plan.kernels[d.variants[0].kernel].name === 'linear.forward').length;
  const [none, layer] = ['none', 'layer'].map(how => compileSmall(text(how)).plan);
  expect(counts(none)).toBe(0);
  // per layer: q, k and v together, o, gate and up together; not down, whose result nothing reads
  expect(counts(layer)).toBe(2 * 3);
});

function needs(dtype: string, recompute: string) {
  const { program } = check(
    'qwen.mos',
    `model "m" < dtype: ${dtype} >
data "d.jsonl" < length: 512 >
adapter gate_proj, up_proj, down_proj < rank: 8; experts: hyperbolic, sphere, euclid; router: top2 >
train < batch: 1; recompute: ${recompute} >
eval e: on "e.jsonl" < batch: 1; max_tokens: 64 >`,
  );
  const { bytes, peak } = compile(program!, parseConfig(QWEN2)).compiled!.plan.requires;
  return { ...peak, both: bytes };
}

describe('planned peak of Qwen2-1.5B, three experts of rank 8 on every MLP layer, one sequence of 512', () => {
  for (const [dtype, most] of [
    ['nf4', 4e9],
    ['f16', 7e9],
  ] as const) {
    test(`${dtype} takes at most ${most / 1e9} GB, with room to generate too; less when layers are computed again`, () => {
      const [none, layer] = [needs(dtype, 'none'), needs(dtype, 'layer')];
      for (const [name, { training, generation, both }] of Object.entries({ none, layer }))
        console.log(
          `  ${dtype}, recompute: ${name}: ${[training, generation, both].map(b => (b / 1e9).toFixed(2)).join(', ')} GB to train, to generate, for both`,
        );
      expect(none.both).toBeLessThan(most);
      expect(none.training).toBeLessThan(none.both - 0.25e9);
      expect(layer.training).toBeLessThan(0.7 * none.training);
      // generation needs no activations of a whole batch, gradients or moments
      expect(none.generation).toBeLessThan(none.training - 1.5e9);
      expect(layer.generation).toBeLessThan(layer.both);
    });
  }
});
