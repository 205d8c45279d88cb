/** A whole training: data, steps, validation, evaluation before and after, log and adapter file. */
import { join } from 'node:path';
import type { Plan } from '../../compiler/plan/schema.ts';
import { batchesInOrder, batchStream } from '../data/batches.ts';
import { loadEvalItems, loadTrainingData, type TrainingData } from '../data/load.ts';
import { softwareNotice } from '../gpu/device.ts';
import { fault } from '../report/fault.ts';
import type { Progress } from '../report/progress.ts';
import { saveAdapter } from './adapter-file.ts';
import { type Base, openBase } from './base.ts';
import { type Evaluation, evaluate } from './evaluate.ts';
import { RunLog } from './log.ts';
import { extract, initialParameters, trainableCount } from './parameters.ts';
import { scheduleFactor } from './schedule.ts';
import { Session, type StepResult } from './session.ts';
import { curvatureRanges, type SiteTelemetry, telemetryOf } from './telemetry.ts';

export interface TrainArgs {
  plan: string;
  out: string;
  /** Stops after so many steps; the schedule stays that of the whole run. */
  steps?: number;
  /** Evaluates before and after. */
  evaluate: boolean;
}

export interface TrainResult {
  adapter: string;
  steps: number;
  loss: number;
  validation?: number;
  seconds: number;
  evaluations: { name: string; before: Evaluation['score']; after: Evaluation['score'] }[];
  stopped: boolean;
}

/** What a run tells whoever started it. */
export interface Listener {
  log: (text: string) => void;
  warn: (text: string) => void;
  phase: (phase: string, allowSeconds?: number) => void;
  progress: (progress: Progress) => void;
  stop: AbortSignal;
}

/** Steps in a row with a non-finite gradient that end a run. */
const MAX_SKIPPED = 5;
/** First uses compile pipelines: seconds of silence that are normal. */
const COMPILING = 600;

export async function train(args: TrainArgs, listener: Listener): Promise<TrainResult> {
  const base = await openBase(args.plan, listener.phase);
  try {
    return await new Run(base, args, listener).run();
  } finally {
    base.close();
  }
}

class Run {
  private readonly base: Base;
  private readonly args: TrainArgs;
  private readonly listener: Listener;
  private readonly plan: Plan;
  private readonly training: NonNullable<Plan['training']>;
  private readonly session: Session;
  private readonly data: TrainingData;
  private readonly log: RunLog;
  private skipped = 0;

  constructor(base: Base, args: TrainArgs, listener: Listener) {
    const { plan, folder, tokenizer, executor } = base;
    if (!plan.data || !plan.training) throw fault('no-training', 'there is no data to train on');
    this.base = base;
    this.args = args;
    this.listener = listener;
    this.plan = plan;
    this.training = plan.training;
    this.session = new Session(executor);
    listener.phase('reading the data');
    this.data = loadTrainingData({ ...plan.data, baseDir: folder }, tokenizer, this.training.seed);
    if (this.data.truncated > 0) listener.warn(`${this.data.truncated} samples were cut to ${plan.data.length} tokens`);
    if (this.data.dropped > 0) listener.warn(`${this.data.dropped} samples have no token to learn and were left out`);
    this.log = new RunLog(join(args.out, 'log.jsonl'));
  }

  async run(): Promise<TrainResult> {
    const { plan, training, listener, session, log, base } = this;
    const started = performance.now();
    const notice = softwareNotice(base.opened);
    if (notice) listener.log(notice);
    session.start(initialParameters(plan, training.seed));
    log.write('start', {
      plan: plan.name, sources: plan.sources, training, trainable: trainableCount(plan), adapter: base.opened.info.description || base.opened.info.device,
      samples: this.data.train.length, validation_samples: this.data.validation.length, data: this.data.hash, base: base.checkpoint.fingerprint(),
    });
    const before = this.args.evaluate ? await this.evaluateAll('before') : [];
    const { steps, loss, stopped } = await this.steps();
    const validation = await this.validate(steps);
    const adapter = join(this.args.out, 'adapter');
    saveAdapter(adapter, plan, await session.parameters(), { step: steps, base: base.checkpoint.fingerprint(), data: this.data.hash, seed: training.seed });
    const after = this.args.evaluate && !stopped ? await this.evaluateAll('after') : [];
    const seconds = (performance.now() - started) / 1000;
    log.write('end', { steps, loss, seconds, stopped });
    log.close();
    const evaluations = after.map((a, i) => ({ name: a.name, before: before[i].score, after: a.score }));
    return { adapter, steps, loss, ...(validation === undefined ? {} : { validation }), seconds, evaluations, stopped };
  }

  private async steps(): Promise<{ steps: number; loss: number; stopped: boolean }> {
    const { training, session, listener } = this;
    const { batch, accumulate, seed, logEvery, validateEvery } = training;
    const last = Math.min(this.args.steps ?? training.steps, training.steps);
    const stream = batchStream(this.data.train, batch, seed);
    listener.phase('compiling kernels for the first step', COMPILING);
    let loss = Number.NaN;
    const began = performance.now();
    for (let step = 0; step < last; step++) {
      const started = performance.now();
      const factor = scheduleFactor(training, step);
      const result = await session.step(Array.from({ length: accumulate }, () => stream.next()), factor, step, seed);
      if (step === 0) listener.phase('training');
      loss = result.loss;
      await this.checkFinite(result, step);
      const seconds = (performance.now() - started) / 1000;
      const routers = (step + 1) % logEvery === 0 || step + 1 === last ? await this.telemetry(result) : undefined;
      this.record(step, factor, result, seconds, routers);
      const left = ((performance.now() - began) / (step + 1)) * (last - step - 1);
      listener.progress({
        label: 'train', step: step + 1, steps: last, loss, tokensPerSecond: result.tokens / seconds, learningRate: this.rate(factor),
        gradientNorm: result.norm, secondsLeft: left / 1000,
      });
      if (listener.stop.aborted) return { steps: step + 1, loss, stopped: true };
      if (validateEvery > 0 && (step + 1) % validateEvery === 0 && step + 1 < last) await this.validate(step + 1);
    }
    return { steps: last, loss, stopped: false };
  }

  private rate(factor: number): number {
    return factor * Math.max(0, ...this.plan.groups.filter(g => g.name === 'adapter').map(g => g.lr));
  }

  private record(step: number, factor: number, r: StepResult, seconds: number, routers?: SiteTelemetry[]): void {
    this.log.write('step', {
      step: step + 1, loss: r.loss, balance: r.balance, gradient_norm: r.norm, learning_rate: this.rate(factor), tokens: r.tokens, targets: r.targets,
      seconds, ...(r.notFinite > 0 ? { skipped: true } : {}), ...(routers ? { routers } : {}),
    });
  }

  private async telemetry(result: StepResult): Promise<SiteTelemetry[]> {
    const ranges = curvatureRanges(this.plan);
    const stored = ranges.length > 0 ? await this.base.executor.readRanges('params', ranges) : new Float32Array();
    return telemetryOf(this.plan, result.stats, stored);
  }

  /** A step with a non-finite gradient changed nothing; several in a row end the run, naming the first bad tensor. */
  private async checkFinite(result: StepResult, step: number): Promise<void> {
    if (Number.isFinite(result.norm)) {
      this.skipped = 0;
      return;
    }
    this.listener.warn(`step ${step + 1}: the gradient is not finite; the step was skipped`);
    if (++this.skipped < MAX_SKIPPED) return;
    const flat = await this.base.executor.read('grads', this.plan.buffers.find(b => b.name === 'grads')!.bytes / 4);
    const bad = this.plan.parameters.find(p => extract(flat, p).some(v => !Number.isFinite(v)));
    throw fault('not-finite-loss', `${MAX_SKIPPED} steps in a row had a gradient that is not finite`, {
      notes: [`first bad tensor: ${bad?.name ?? 'none; the norm itself overflowed'}`, `loss at step ${step + 1}: ${result.loss}`],
    });
  }

  private async validate(step: number): Promise<number | undefined> {
    const { validation } = this.data;
    if (validation.length === 0) return undefined;
    this.listener.phase('validating', COMPILING);
    const loss = await this.session.validate(batchesInOrder(validation, this.training.batch));
    this.log.write('validation', { step, loss, samples: validation.length });
    this.listener.log(`validation after step ${step}: loss ${loss.toFixed(4)} on ${validation.length} samples`);
    return loss;
  }

  private async evaluateAll(when: 'before' | 'after'): Promise<Evaluation[]> {
    const results: Evaluation[] = [];
    for (const block of this.plan.evals) results.push(await evaluateBlock(this.base, block, this.listener));
    for (const { name, score } of results) this.log.write('eval', { when, name, ...score });
    return results;
  }
}

/** Runs one `eval` block of a plan with the adapters as they are. */
export async function evaluateBlock(base: Base, block: Plan['evals'][number], listener: Omit<Listener, 'warn'>): Promise<Evaluation> {
  listener.phase(`evaluating ${block.name}`, COMPILING);
  const items = loadEvalItems({ ...block, baseDir: base.folder }, base.tokenizer);
  return evaluate(base.executor, base.tokenizer, items, {
    name: block.name, maxTokens: block.maxTokens, batch: block.batch, stop: listener.stop,
    onProgress: (done, total) => listener.progress({ label: `eval ${block.name}`, step: done, steps: total }),
  });
}
