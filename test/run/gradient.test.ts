/**
 * The gradient of a whole plan, as the executor runs it, against finite differences of its loss: every kind of
 * parameter, space, map, router and gate, with dropout and noise on. A direction per tensor, half along its gradient and
 * half random, so that an error in any part of it shows.
 */
import { expect } from 'bun:test';
import { compile } from '../../compiler/index.ts';
import type { Plan, PlanParameter } from '../../compiler/plan/schema.ts';
import type { PackedBatch } from '../../src/data/batches.ts';
import { parseConfig } from '../../src/model/config.ts';
import type { Executor, Frame } from '../../src/runtime/executor.ts';
import { extract } from '../../src/runtime/parameters.ts';
import { normalStream } from '../../src/runtime/random.ts';
import { switchAdapters, symbolsOf, writeBatch } from '../../src/runtime/session.ts';
import { balanceLoss, STATS_FLOATS } from '../../src/runtime/telemetry.ts';
import { gpuTest } from '../gpu/harness.ts';
import {
  batchOf,
  EVERYTHING,
  openCompiled,
  openSmall,
  programOf,
  type Rig,
  randomParameters,
  VOCABULARY,
} from './small.ts';

const FRAME: Frame = { seed: 5, step: 2, micro: 1, training: true, lossScale: 0, auxScale: 1 };

class Probe {
  readonly executor: Executor;
  private readonly plan: Plan;
  private readonly batch: PackedBatch;
  private readonly frame: Frame;

  constructor(executor: Executor, batch: PackedBatch) {
    this.executor = executor;
    this.plan = executor.plan;
    this.batch = batch;
    this.frame = { ...FRAME, lossScale: 1 / batch.targets };
    writeBatch(executor, batch);
    switchAdapters(executor, new Set(this.plan.slots));
  }

  /** Everything the gradient is of: cross-entropy, balance losses and z-losses. */
  async loss(flat: Float32Array): Promise<{ loss: number; routes: string }> {
    const { executor, plan } = this;
    executor.write('params', flat);
    executor.clear('metrics');
    await executor.run(['refresh', 'forward'], symbolsOf(this.batch), this.frame);
    const [metrics, stats] = await Promise.all([
      executor.read('metrics', 1),
      executor.read('stats', plan.sites.length * STATS_FLOATS),
    ]);
    const zLoss = plan.sites.reduce(
      (sum, { z, experts }, i) => sum + z * stats[i * STATS_FLOATS + 3 * experts.length + 1],
      0,
    );
    const routes = plan.sites
      .map(({ experts }, i) => stats.slice(i * STATS_FLOATS, i * STATS_FLOATS + experts.length).join())
      .join(';');
    return { loss: metrics[0] + balanceLoss(plan, stats) + zLoss, routes };
  }

  async gradient(flat: Float32Array): Promise<Float32Array> {
    const { executor } = this;
    executor.write('params', flat);
    executor.clear('grads', 'metrics');
    await executor.run(['refresh', 'forward', 'backward'], symbolsOf(this.batch), this.frame);
    return executor.read('grads', flat.length);
  }

  /**
   * Richardson's extrapolation of central differences along `direction` in one tensor. The loss jumps where a token
   * changes its experts, so the step shrinks until none does.
   */
  async derivative(
    flat: Float32Array,
    p: PlanParameter,
    direction: Float32Array,
    step: number,
  ): Promise<{ measured: number; noise: number }> {
    const at = (t: number) => {
      const moved = Float32Array.from(flat);
      for (let r = 0; r < p.rows; r++)
        for (let c = 0; c < p.columns; c++)
          moved[p.offset + r * p.ld + c] += t * direction[r * p.columns + c];
      return this.loss(moved);
    };
    for (let h = step; ; h /= 3) {
      const [a, b, c, d] = [await at(h), await at(-h), await at(2 * h), await at(-2 * h)];
      const smooth = [b, c, d].every(other => other.routes === a.routes);
      if (smooth || h < step / 50)
        return { measured: (8 * (a.loss - b.loss) - (c.loss - d.loss)) / (12 * h), noise: NOISE / h };
    }
  }
}

const norm = (v: ArrayLike<number>) => Math.sqrt(dot(v, v));
const dot = (a: ArrayLike<number>, b: ArrayLike<number>) =>
  Array.from(a).reduce((sum, x, i) => sum + x * b[i], 0);

/** Half along the gradient, if there is one, half random; of norm about √2. */
function directionOf(p: PlanParameter, g: Float32Array): Float32Array {
  const random = normalStream(17, p.name);
  const r = g.map((_, i) => random(i));
  const [gn, rn] = [norm(g) || 1, norm(r)];
  return g.map((x, i) => x / gn + (g.length > 1 ? r[i] / rn : 0));
}

/** The loss is about 4.5 in f32, its differences hold to some 1e-6; a step changes it by about `CHANGE`. */
const CHANGE = 0.01;
const NOISE = 2e-6;
const RELATIVE = 3e-3;

/** Compares every tensor; gives how many of each kind had gradients large enough to tell something. */
async function compare({ plan, executor }: Rig): Promise<Map<string, number>> {
  const probe = new Probe(executor, batchOf(3, [7, 3, 6]));
  const flat = randomParameters(plan, 4);
  const gradients = await probe.gradient(flat);
  const wrong: string[] = [];
  const telling = new Map<string, number>();
  for (const p of plan.parameters) {
    const g = extract(gradients, p);
    const direction = directionOf(p, g);
    const expected = dot(g, direction);
    const step = Math.min(Math.max(CHANGE / Math.abs(expected), 0.004), 0.08);
    // a shorter one where the loss bends too much, near a guard
    for (const h of [step, step / 4]) {
      const { measured, noise } = await probe.derivative(flat, p, direction, h);
      if (h === step && Math.abs(expected) > 20 * noise) telling.set(p.kind, (telling.get(p.kind) ?? 0) + 1);
      if (Math.abs(measured - expected) <= RELATIVE * Math.abs(expected) + noise) break;
      if (h < step) wrong.push(`${p.name}: ${measured} measured, ${expected} from the gradient`);
    }
  }
  expect(wrong).toEqual([]);
  return telling;
}

gpuTest('gradients of a whole plan equal finite differences of its loss, tensor by tensor', async () => {
  const rig = await openSmall(EVERYTHING);
  const telling = await compare(rig);
  // most tensors have gradients large enough for the comparison to mean something, of every kind
  expect([...telling.keys()].sort()).toEqual(['A', 'B', 'curvature', 'router', 'scale']);
  expect([...telling.values()].reduce((a, b) => a + b, 0)).toBeGreaterThan(0.8 * rig.plan.parameters.length);
});

gpuTest('so do they through the norms, the activation and the scales of Gemma 3', async () => {
  const shape = parseConfig({
    model_type: 'gemma3_text',
    hidden_size: 32,
    intermediate_size: 48,
    num_hidden_layers: 3,
    num_attention_heads: 4,
    num_key_value_heads: 2,
    head_dim: 12,
    vocab_size: VOCABULARY,
    max_position_embeddings: 64,
    query_pre_attn_scalar: 8,
    sliding_window_pattern: 2,
  });
  const program = programOf({
    adapters: 'adapter q_proj, o_proj, gate_proj < rank: 4; experts: hyperbolic, euclid >',
  });
  const [plain, again] = (['none', 'layer'] as const).map(recompute => {
    return compile({ ...program, train: { ...program.train, recompute } }, shape).compiled!;
  });
  const rig = await openCompiled(plain, {}, shape);
  const telling = await compare(rig);
  expect([...telling.values()].reduce((a, b) => a + b, 0)).toBeGreaterThan(
    0.7 * plain.plan.parameters.length,
  );
  // the same to the bit when layers are computed again
  const flat = randomParameters(plain.plan, 4);
  const [wanted, got] = await Promise.all(
    [rig, await openCompiled(again, {}, shape)].map(({ executor }) =>
      new Probe(executor, batchOf(3, [7, 3, 6])).gradient(flat),
    ),
  );
  expect(got).toEqual(wanted);
});
