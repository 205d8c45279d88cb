/**
 * One optimiser step after another over a plan: writes batches and rates, replays the programs, reads back what a
 * person wants to see. Where the batches come from, and what is done with the numbers, is `train.ts`.
 */
import type { Plan } from '../../compiler/plan/schema.ts';
import type { PackedBatch } from '../data/batches.ts';
import type { Executor, Frame, Symbols } from './executor.ts';
import type { TrainedState } from './parameters.ts';
import { groupTable } from './schedule.ts';
import { balanceLoss, STATS_FLOATS } from './telemetry.ts';

export interface StepResult {
  /** Mean cross-entropy in nats per target over the whole step, without the balance loss. */
  loss: number;
  /** Σ over adapters of aux · balance, mean over micro-batches. */
  balance: number;
  /** Global gradient norm before clipping; NaN when the gradient is not finite. */
  norm: number;
  /** Non-finite words in the gradient: the step was skipped when there are any. */
  notFinite: number;
  tokens: number;
  targets: number;
  /** Telemetry of the last micro-batch: 64 floats per site. */
  stats: Float32Array;
}

export class Session {
  readonly executor: Executor;
  private readonly plan: Plan;
  /** Optimiser steps that changed the parameters: what bias correction counts. */
  updates = 0;

  constructor(executor: Executor) {
    this.executor = executor;
    this.plan = executor.plan;
  }

  /** Sets parameters and clears the moments; adapters are all switched on. */
  start(parameters: Float32Array): void {
    this.executor.write('params', parameters);
    this.executor.clear('moment1', 'moment2');
    this.updates = 0;
    switchAdapters(this.executor, new Set(this.plan.slots));
  }

  /** Goes on from what `snapshot` and `updates` said. */
  restore({ params, moment1, moment2 }: TrainedState, updates: number): void {
    this.executor.write('params', params);
    this.executor.write('moment1', moment1);
    this.executor.write('moment2', moment2);
    this.updates = updates;
    switchAdapters(this.executor, new Set(this.plan.slots));
  }

  /** Everything an optimiser step reads of those before it. */
  async snapshot(): Promise<TrainedState> {
    const [params, moment1, moment2] = await Promise.all(
      ['params', 'moment1', 'moment2'].map(name => this.whole(name)),
    );
    return { params, moment1, moment2 };
  }

  /**
   * One optimiser step over its micro-batches. `factor` scales every learning rate; `scale`, a power of two, scales the
   * gradients on their way, of which nothing remains in parameters or results.
   */
  async step(
    batches: PackedBatch[],
    factor: number,
    step: number,
    seed: number,
    scale = 1,
  ): Promise<StepResult> {
    const { executor, plan } = this;
    const targets = batches.reduce((sum, b) => sum + b.targets, 0);
    const tokens = batches.reduce((sum, b) => sum + b.tokens, 0);
    const frame: Frame = {
      seed,
      step,
      micro: 0,
      training: true,
      lossScale: scale / targets,
      auxScale: scale / batches.length,
    };
    executor.clear('grads', 'metrics');
    executor.write('groups', groupTable(plan.groups, factor, this.updates));
    const telemetry: Promise<Float32Array>[] = [];
    for (const [micro, batch] of batches.entries()) {
      writeBatch(executor, batch);
      const programs = micro === 0 ? ['refresh', 'forward', 'backward'] : ['forward', 'backward'];
      await executor.run(programs, symbolsOf(batch), { ...frame, micro });
      const stats = executor.read('stats', Math.max(plan.sites.length, 1) * STATS_FLOATS);
      // A loss is reported where these are waited for; until then nobody listens, which must not count as unhandled.
      stats.catch(() => {});
      telemetry.push(stats);
    }
    await executor.run(['optimizer'], symbolsOf(batches[0]), { ...frame, lossScale: 1 / scale });
    const [metrics, control, ...stats] = await Promise.all([
      executor.read('metrics', 1),
      executor.read('control', 4),
      ...telemetry,
    ]);
    const notFinite = control[2];
    const ok = notFinite === 0 && Number.isFinite(control[0]);
    if (ok) this.updates++;
    const balance = stats.reduce((sum, s) => sum + balanceLoss(plan, s), 0) / batches.length;
    return {
      loss: metrics[0] / scale,
      balance,
      norm: ok ? control[0] : Number.NaN,
      notFinite,
      tokens,
      targets,
      stats: stats.at(-1)!,
    };
  }

  /** Mean cross-entropy over batches, without dropout or noise; undefined when stopped in between. */
  async validate(batches: Iterable<PackedBatch>): Promise<number>;
  async validate(batches: Iterable<PackedBatch>, stop: AbortSignal): Promise<number | undefined>;
  async validate(batches: Iterable<PackedBatch>, stop?: AbortSignal): Promise<number | undefined> {
    const { executor } = this;
    let sum = 0;
    let targets = 0;
    await refresh(executor);
    for (const batch of batches) {
      if (stop?.aborted) return undefined;
      executor.clear('metrics');
      writeBatch(executor, batch);
      await executor.run(['evaluate'], symbolsOf(batch), EVALUATION);
      sum += (await executor.read('metrics', 1))[0];
      targets += batch.targets;
    }
    return sum / targets;
  }

  parameters(): Promise<Float32Array> {
    return this.whole('params');
  }

  private whole(name: string): Promise<Float32Array<ArrayBuffer>> {
    return this.executor.read(name, this.plan.buffers.find(b => b.name === name)!.bytes / 4);
  }
}

/** A frame in which nothing is random and losses are plain sums. */
export const EVALUATION: Frame = { seed: 0, step: 0, micro: 0, training: false, lossScale: 1, auxScale: 1 };

/** Prepares the state that depends on the parameters; call after they change. */
export async function refresh(executor: Executor): Promise<void> {
  await executor.run(['refresh'], { tokens: 1, targets: 0, rows: 0 }, EVALUATION);
}

export function symbolsOf({ tokens, targets, rows }: PackedBatch): Symbols {
  return { tokens, targets, rows };
}

export function writeBatch(executor: Executor, batch: PackedBatch): void {
  const { ids, position, row, keys, queries, targetIndex, targetOf, labels } = batch;
  const inputs = {
    ids,
    position,
    row,
    keys,
    queries,
    target_index: targetIndex,
    target_of: targetOf,
    labels,
  };
  for (const [name, data] of Object.entries(inputs)) if (data.length > 0) executor.write(name, data);
}

/** Switches named adapters on or off for every row. */
export function switchAdapters(executor: Executor, on: ReadonlySet<string>): void {
  writeScales(executor, name => on.has(name));
}

/** Switches named adapters on row by row; rows beyond those given have none. */
export function switchRows(executor: Executor, rows: readonly (readonly string[])[]): void {
  writeScales(executor, (name, row) => rows[row]?.includes(name));
}

function writeScales(executor: Executor, on: (name: string, row: number) => boolean | undefined): void {
  const { slots, symbols } = executor.plan;
  const scale = slots.flatMap(name =>
    Array.from({ length: symbols.rows }, (_, row) => Number(on(name, row) ?? 0)),
  );
  if (scale.length > 0) executor.write('slot_scale', Float32Array.from(scale));
}
