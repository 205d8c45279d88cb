/** The summary against hand counts. */
import { describe, expect, test } from 'bun:test';
import type { Plan } from '../../compiler/plan/schema.ts';
import { summarise } from '../../compiler/summary.ts';
import { compileSmall, SMALL, VOCABULARY } from '../run/small.ts';

const { hidden, intermediate } = SMALL;
const [q, kv] = [4 * 8, 2 * 8];
const LAYER = hidden * (q + 2 * kv) + q * hidden + 3 * hidden * intermediate;
/** The vocabulary is computed in full columns of 8. */
const PARAMETERS = 2 * LAYER + hidden * VOCABULARY;
const TOKENS = 5 * 32;

/** At the largest batch; of one kernel or of all. */
const flopsOf = (plan: Plan, program: string, kernel?: string) =>
  plan.programs[program]
    .filter(d => !kernel || plan.kernels[d.variants[0].kernel].name === kernel)
    .reduce((sum, { flops }) => sum + flops.each * (flops.symbol ? TOKENS : 1), 0);

describe('a plan without adapters', () => {
  const { plan } = compileSmall({ adapters: '' });
  const summary = summarise(plan);

  test('forward: two operations per weight and token, and little besides', () => {
    expect(flopsOf(plan, 'forward', 'linear.forward')).toBe(2 * TOKENS * PARAMETERS);
    // the gradient of the head's input comes with the loss
    expect(flopsOf(plan, 'forward', 'linear.input_grad')).toBe(2 * TOKENS * hidden * VOCABULARY);
    expect(flopsOf(plan, 'forward')).toBeLessThan(1.3 * 2 * TOKENS * (PARAMETERS + hidden * VOCABULARY));
  });

  test('decode: the same for one token', () => {
    expect(summary.decode.flops).toBeGreaterThan(2 * PARAMETERS);
    expect(summary.decode.flops).toBeLessThan(1.5 * 2 * PARAMETERS);
  });

  test('nothing to train', () => {
    expect(summary.trainable).toBe(0);
    expect(summary.adapters).toEqual([]);
  });
});

describe('a plan with adapters', () => {
  const text = {
    adapters:
      'adapter q_proj, down_proj < rank: 4; experts: hyperbolic(c=0.5), sphere(map=exp, scale=learn), euclid; router: top2 >\nadapter math: o_proj layers 1 < rank: 3; experts: euclid >',
  };
  const { plan } = compileSmall(text);
  const summary = summarise(plan);

  test('counts trained numbers: A, B, routers, learned curvatures and scales', () => {
    const mixture = (inputs: number, outputs: number) => 3 * 4 * (inputs + outputs) + 3 * inputs + 2;
    expect(summary.trainable).toBe(
      2 * (mixture(hidden, q) + mixture(intermediate, hidden)) + 3 * (q + hidden),
    );
  });

  test('lists blocks with their spaces and modules', () => {
    const layers = [0, 1].map(i => `model.layers.${i}`);
    expect(summary.adapters).toEqual([
      {
        name: 'default',
        experts: ['hyperbolic(stereo)', 'sphere(exp)', 'euclid'],
        modules: layers.flatMap(l => [`${l}.self_attn.q_proj`, `${l}.mlp.down_proj`]),
      },
      { name: 'math', experts: ['euclid'], modules: ['model.layers.1.self_attn.o_proj'] },
    ]);
  });

  test('adds the bytes of every buffer', () => {
    expect(summary.bytes).toBe(plan.buffers.reduce((sum, b) => sum + b.bytes, 0));
    expect(Object.values(summary.memory).reduce((a, b) => a + b, 0)).toBe(summary.bytes);
    expect(summary.memory.moment).toBe(2 * summary.memory.parameter!);
    expect(summary.memory.weight).toBeGreaterThanOrEqual(4 * (PARAMETERS + hidden * VOCABULARY));
  });

  test('a step is accumulate micro-batches and one update', () => {
    const thrice = summarise(compileSmall({ ...text, train: 'accumulate: 3' }).plan);
    const update = plan.programs.refresh.length + plan.programs.optimizer.length;
    expect(thrice.step.tokens).toBe(3 * TOKENS);
    expect(thrice.step.dispatches - update).toBe(3 * (summary.step.dispatches - update));
    const { flopsPerToken } = summary.step;
    expect(Math.abs(thrice.step.flopsPerToken / flopsPerToken - 1)).toBeLessThan(0.1);
  });

  test('backward: two operations per weight above the lowest adapter, none below, none for the weights themselves', () => {
    const { plan } = compileSmall({ adapters: 'adapter q_proj layers 0 < rank: 4; experts: euclid >' });
    expect(flopsOf(plan, 'backward', 'linear.input_grad')).toBe(
      2 * TOKENS * (2 * LAYER - hidden * (q + 2 * kv)),
    );
    expect(flopsOf(plan, 'backward', 'adapter.grads')).toBe(2 * TOKENS * 4 * (hidden + q));
  });
});
