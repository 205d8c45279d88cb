/**
 * One run from its start, or from a checkpoint, to its end: data, steps, validation, checkpoints, evaluation, log and
 * adapter file. Everything the future depends on is in `state` and in the three tensors of the optimiser.
 */
import { join } from 'node:path';
import type { Plan } from '../../compiler/plan/schema.ts';
import { type BatchStream, batchesInOrder, batchStream } from '../data/batches.ts';
import { loadTrainingData, type TrainingData } from '../data/load.ts';
import { softwareNotice } from '../gpu/device.ts';
import type { Files } from '../host/files.ts';
import { Fault, fault } from '../report/fault.ts';
import { firstNotFinite, initialParameters, trainableCount } from '../runtime/parameters.ts';
import { scheduleFactor } from '../runtime/schedule.ts';
import { Session, type StepResult } from '../runtime/session.ts';
import { curvatureRanges, type SiteTelemetry, telemetryOf } from '../runtime/telemetry.ts';
import { saveAdapter } from './adapter-file.ts';
import type { Base } from './base.ts';
import type { Checkpoints, Snapshot } from './checkpoint.ts';
import { compare, type Identity, type RunState } from './checkpoint-state.ts';
import type { Evaluation } from './evaluate.ts';
import { evaluateBlock } from './evaluate-block.ts';
import { identityOf } from './identity.ts';
import { COMPILING, type Listener } from './listener.ts';
import { RunLog } from './log.ts';
import { judge, startingScale } from './not-finite.ts';
import type { TrainArgs, TrainResult } from './train-args.ts';
import { Watchdog } from './watchdog.ts';

export interface RunTools {
  files: Files;
  checkpoints: Checkpoints;
  stepSeconds: number;
  /** Why the GPU had to be opened again. */
  recovering?: string | undefined;
}

type Ending = 'done' | 'early' | 'stopped';
/** What the loop changes; the rest of `RunState` is put together when saving. */
type Progress = Pick<
  RunState,
  | 'step'
  | 'skippedInRow'
  | 'skipped'
  | 'lossScale'
  | 'loss'
  | 'validated'
  | 'best'
  | 'waited'
  | 'before'
  | 'inexact'
>;

export class TrainingRun {
  private readonly base: Base;
  private readonly args: TrainArgs;
  private readonly listener: Listener;
  private readonly tools: RunTools;
  private readonly plan: Plan;
  private readonly training: NonNullable<Plan['training']>;
  private readonly session: Session;
  private readonly data: TrainingData;
  private readonly identity: Identity;
  private readonly watchdog: Watchdog;
  private state: Progress = {
    step: 0,
    skippedInRow: 0,
    skipped: 0,
    lossScale: null,
    loss: null,
    validated: null,
    best: null,
    waited: 0,
    before: [],
    inexact: [],
  };
  private stream!: BatchStream;
  private log!: RunLog;
  /** Step of the checkpoint on disk that says what `state` says. */
  private saved = -1;
  private compiled = false;

  constructor(base: Base, args: TrainArgs, listener: Listener, tools: RunTools) {
    const { plan, folder, tokenizer, executor } = base;
    if (!plan.data || !plan.training) throw fault('no-training', 'there is no data to train on');
    this.base = base;
    this.args = args;
    this.listener = listener;
    this.tools = tools;
    this.plan = plan;
    this.training = plan.training;
    this.session = new Session(executor);
    this.watchdog = new Watchdog(tools.stepSeconds, () => executor.unfinished());
    listener.phase('reading the data');
    this.data = loadTrainingData({ ...plan.data, baseDir: folder }, tokenizer, this.training.seed);
    const { truncated, dropped, validation, hash } = this.data;
    if (truncated > 0) listener.warn(`${truncated} samples were cut to ${plan.data.length} tokens`);
    if (dropped > 0) listener.warn(`${dropped} samples have no token to learn and were left out`);
    const { patience, validateEvery } = this.training;
    if (patience > 0 && (validateEvery === 0 || validation.length === 0)) {
      listener.warn('`patience` has no effect without `validate` in `train` and `validation` in `data`');
    }
    this.identity = identityOf(base, hash);
    this.state.lossScale = startingScale(executor);
  }

  /** `begun`: called once the checkpoints in the folder are those of this run. */
  async run(begun: () => void): Promise<TrainResult> {
    const { listener, session, training, base } = this;
    const started = performance.now();
    const notice = softwareNotice(base.opened);
    if (notice) listener.log(notice);
    const resumedFrom = this.args.resume ? this.resume() : undefined;
    if (resumedFrom === undefined) this.begin();
    begun();
    this.stream = batchStream(
      this.data.train,
      training.batch,
      training.seed,
      this.state.step * training.accumulate,
    );
    try {
      if (resumedFrom === undefined && this.args.evaluate) await this.evaluateBefore();
      const { ending, unsaved } = await this.loop();
      const { step } = this.state;
      // Asked for in the middle of the schedule, for a look: it takes no part in the choice of the best.
      if (ending === 'done' && this.state.validated?.step !== step) await this.validate(step, false);
      const chosen = ending === 'stopped' ? undefined : this.bestParameters();
      const adapter = join(this.args.out, 'adapter');
      const parameters = chosen?.tensors.params ?? (await session.parameters());
      const { inexact } = this.state;
      const origin = {
        step: chosen?.state.step ?? step,
        base: base.checkpoint.fingerprint(),
        data: this.data.hash,
        seed: training.seed,
        exact: inexact.length === 0,
        ...(inexact.length > 0 ? { inexact } : {}),
      };
      saveAdapter(adapter, this.plan, parameters, origin, this.tools.files);
      if (unsaved) throw unsaved;
      if (chosen) this.base.executor.write('params', parameters);
      const after = this.args.evaluate && ending !== 'stopped' ? await this.evaluateAll('after') : [];
      const seconds = (performance.now() - started) / 1000;
      const loss = this.state.loss ?? Number.NaN;
      this.log.write('end', {
        steps: step,
        loss,
        seconds,
        stopped: ending === 'stopped',
        ...(ending === 'early' ? { early: true } : {}),
      });
      const { before, validated } = this.state;
      const evaluations = after.flatMap(a => {
        const score = before.find(b => b.name === a.name)?.score;
        return score ? [{ name: a.name, before: score, after: a.score }] : [];
      });
      return {
        adapter,
        steps: step,
        loss,
        ...(validated?.step === step ? { validation: validated.loss ?? Number.NaN } : {}),
        seconds,
        evaluations,
        stopped: ending === 'stopped',
        ...(resumedFrom === undefined ? {} : { resumedFrom }),
        ...(chosen ? { best: chosen.state.step } : {}),
        exact: inexact.length === 0,
      };
    } finally {
      this.log.close();
    }
  }

  private openLog(keep: number): void {
    this.log = new RunLog(join(this.args.out, 'log.jsonl'), keep, this.tools.files);
  }

  /** From nothing. What an earlier run left in the folder is moved aside first. */
  private begin(): void {
    const { plan, training, base, listener, tools } = this;
    const moved = tools.checkpoints.setAside(this.args.out, join(this.args.out, 'log.jsonl'));
    if (moved)
      listener.warn(
        `an unfinished run was in \`${this.args.out}\`: its checkpoints are now in \`${moved}\` (\`--resume\` would have gone on with it)`,
      );
    this.openLog(0);
    this.session.start(initialParameters(plan, training.seed));
    this.log.write('start', {
      plan: plan.name,
      sources: plan.sources,
      training,
      trainable: trainableCount(plan),
      adapter: this.identity.device,
      samples: this.data.train.length,
      validation_samples: this.data.validation.length,
      data: this.data.hash,
      base: base.checkpoint.fingerprint(),
    });
  }

  /** From the newest whole checkpoint; returns its step, or nothing where there is none. */
  private resume(): number | undefined {
    const { listener, tools, training } = this;
    listener.phase('reading the last checkpoint');
    const { snapshot, damaged } = tools.checkpoints.load();
    for (const what of damaged) listener.warn(`a checkpoint is damaged and was passed over: ${what}`);
    if (!snapshot) {
      if (damaged.length > 0)
        throw fault('checkpoint-damaged', `no checkpoint in \`${tools.checkpoints.folder}\` is whole`, {
          notes: damaged,
        });
      if (!tools.recovering)
        listener.warn(`\`${this.args.out}\` has no checkpoint to go on from: starting with the first step`);
      return undefined;
    }
    const { state, tensors } = snapshot;
    const reasons = compare(state, this.identity, training, this.args.force ?? false);
    const { choices } = this.base;
    if (Object.entries(state.variants).some(([id, kernel]) => (choices[id] ?? kernel) !== kernel))
      reasons.push('other variants of the kernels');
    for (const reason of reasons) listener.warn(`not exact from here on: ${reason}`);
    const { step, skippedInRow, skipped, loss, validated, best, waited, before } = state;
    const inexact = [...new Set([...state.inexact, ...reasons])];
    // Whether there is one at all is a matter of the GPU, which may be another by now.
    const lossScale = this.state.lossScale && (state.lossScale ?? this.state.lossScale);
    this.state = { step, skippedInRow, skipped, lossScale, loss, validated, best, waited, before, inexact };
    this.session.restore(tensors, state.updates);
    this.saved = reasons.length > 0 ? -1 : step;
    this.openLog(state.logBytes);
    this.log.write('resume', {
      step,
      of: training.steps,
      adapter: this.identity.device,
      exact: inexact.length === 0,
      ...(inexact.length > 0 ? { inexact } : {}),
      ...(tools.recovering ? { after: tools.recovering } : {}),
    });
    listener.log(`going on after step ${step} of ${training.steps}`);
    return step;
  }

  /** Ends with everything of `state` on disk, or with the fault that kept it from there. */
  private async loop(): Promise<{ ending: Ending; unsaved?: Fault }> {
    const { training, listener } = this;
    const { validateEvery, checkpointEvery } = training;
    const last = Math.min(this.args.steps ?? training.steps, training.steps);
    const first = this.state.step;
    const began = performance.now();
    if (first < last) listener.phase('compiling kernels for the first step', COMPILING);
    for (;;) {
      const { step } = this.state;
      const due = step > 0 && (step === training.steps || (validateEvery > 0 && step % validateEvery === 0));
      const improved =
        due &&
        this.state.validated?.step !== step &&
        !listener.stop.aborted &&
        (await this.validate(step, true));
      const ending = this.ending(last);
      const regular = checkpointEvery > 0 && step % checkpointEvery === 0;
      const unsaved = ending || improved || regular ? await this.checkpoint(ending) : undefined;
      if (ending) return { ending, ...(unsaved && ending === 'stopped' ? { unsaved } : {}) };
      const result = await this.step(step === first);
      const left = ((performance.now() - began) / (step + 1 - first)) * (last - step - 1);
      listener.progress({
        label: 'train',
        step: step + 1,
        steps: last,
        loss: result.loss,
        tokensPerSecond: result.tokens / result.seconds,
        learningRate: this.rate(scheduleFactor(training, step)),
        gradientNorm: result.norm,
        secondsLeft: left / 1000,
      });
    }
  }

  private ending(last: number): Ending | undefined {
    const { patience } = this.training;
    if (patience > 0 && this.state.waited >= patience) return 'early';
    if (this.state.step >= last) return 'done';
    return this.listener.stop.aborted ? 'stopped' : undefined;
  }

  private async step(first: boolean): Promise<StepResult & { seconds: number }> {
    const { training, session, listener, state } = this;
    const { step } = state;
    const started = performance.now();
    const factor = scheduleFactor(training, step);
    const scale = state.lossScale?.scale;
    const batches = Array.from({ length: training.accumulate }, () => this.stream.next());
    const limit = first ? COMPILING : this.watchdog.limit;
    const result = await this.watchdog.guard(
      session.step(batches, factor, step, training.seed, scale),
      `step ${step + 1}`,
      limit,
    );
    const seconds = (performance.now() - started) / 1000;
    if (!first) this.watchdog.seen(seconds);
    if (first || !this.compiled) listener.phase('training', this.watchdog.allow);
    this.compiled = true;
    state.step = step + 1;
    state.loss = Number.isFinite(result.loss) ? result.loss : null;
    await judge(state, result, this.base.executor, listener.warn);
    // Nothing in the log depends on where a run was stopped, so that it reads the same after it was resumed.
    const reported = state.step % training.logEvery === 0 || state.step === training.steps;
    this.record(factor, result, seconds, scale, reported ? await this.telemetry(result) : undefined);
    return { ...result, seconds };
  }

  private rate(factor: number): number {
    return factor * Math.max(0, ...this.plan.groups.filter(g => g.name === 'adapter').map(g => g.lr));
  }

  private record(
    factor: number,
    r: StepResult,
    seconds: number,
    scale: number | undefined,
    routers: SiteTelemetry[] | undefined,
  ): void {
    const { step } = this.state;
    const { loss, balance, norm: gradientNorm, tokens, targets } = r;
    const learningRate = this.rate(factor);
    this.log.write('step', {
      step,
      loss,
      balance,
      gradient_norm: gradientNorm,
      learning_rate: learningRate,
      tokens,
      targets,
      seconds,
      ...(scale === undefined ? {} : { loss_scale: scale }),
      ...(Number.isFinite(gradientNorm) ? {} : { skipped: true }),
      ...(routers ? { routers } : {}),
    });
    const { steps } = this.training;
    const event = { step, steps, loss, balance, gradientNorm, learningRate, tokens, targets, seconds };
    this.listener.step?.({ ...event, ...(routers ? { routers } : {}) });
  }

  private async telemetry(result: StepResult): Promise<SiteTelemetry[]> {
    const ranges = curvatureRanges(this.plan);
    const stored =
      ranges.length > 0 ? await this.base.executor.readRanges('params', ranges) : new Float32Array();
    return telemetryOf(this.plan, result.stats, stored);
  }

  /** Runs validation; `counts`: it takes part in the choice of the best. Returns whether it was the best so far. */
  private async validate(step: number, counts: boolean): Promise<boolean> {
    const { state, listener } = this;
    const { validation } = this.data;
    if (validation.length === 0) return false;
    listener.phase('validating', COMPILING);
    const loss = await this.session.validate(batchesInOrder(validation, this.training.batch), listener.stop);
    if (loss === undefined) return false;
    this.log.write('validation', { step, loss, samples: validation.length });
    listener.validation?.({ step, loss, samples: validation.length });
    listener.log(`validation after step ${step}: loss ${loss.toFixed(4)} on ${validation.length} samples`);
    if (this.compiled) listener.phase('training', this.watchdog.allow);
    state.validated = { step, loss: Number.isFinite(loss) ? loss : null };
    if (!counts) return false;
    const better = Number.isFinite(loss) && (state.best === null || loss < state.best.loss);
    if (better) state.best = { step, loss };
    state.waited = better ? 0 : state.waited + 1;
    return better;
  }

  /** Saves what there is. A full disk in the middle of a run is a warning: the next one may find room. */
  private async checkpoint(ending: Ending | undefined): Promise<Fault | undefined> {
    const { state, listener, session, plan, tools } = this;
    if (state.step === 0 || this.saved === state.step) return undefined;
    listener.phase('saving a checkpoint', COMPILING);
    const tensors = await session.snapshot();
    const bad = firstNotFinite(plan, tensors);
    if (bad) throw fault('not-finite-parameters', `after step ${state.step}, ${bad} is not finite`);
    this.log.sync();
    try {
      tools.checkpoints.save({ state: this.fullState(ending), tensors });
      this.saved = state.step;
    } catch (error) {
      if (!(error instanceof Fault)) throw error;
      listener.warn(error.diagnostics[0].message);
      return error;
    } finally {
      if (this.compiled) listener.phase('training', this.watchdog.allow);
    }
    return undefined;
  }

  private fullState(ending: Ending | undefined): RunState {
    return {
      format: 'mos-checkpoint',
      version: 0,
      ...this.state,
      updates: this.session.updates,
      position: this.stream.position,
      micro: 0,
      seed: this.training.seed,
      finished: ending === 'done' || ending === 'early',
      logBytes: this.log.bytes,
      identity: this.identity,
      variants: this.base.choices,
      training: { ...this.training },
    };
  }

  /** With early stopping the adapter is that of the best validation. */
  private bestParameters(): Snapshot | undefined {
    const { state, listener, training } = this;
    if (training.patience === 0 || !state.best || state.best.step === state.step) return undefined;
    const { snapshot, problem } = this.tools.checkpoints.read(state.best.step);
    if (snapshot) listener.log(`the adapter is that of step ${state.best.step}, where validation was best`);
    else
      listener.warn(
        `the best checkpoint, of step ${state.best.step}, cannot be read (${problem}); the adapter is that of the last step`,
      );
    return snapshot;
  }

  private async evaluateBefore(): Promise<void> {
    const results = await this.evaluateAll('before');
    this.state.before = results.map(({ name, score }) => ({ name, score }));
  }

  private async evaluateAll(when: 'before' | 'after'): Promise<Evaluation[]> {
    const results: Evaluation[] = [];
    for (const block of this.plan.evals) {
      const evaluation = await evaluateBlock(this.base, block, this.listener);
      // Half an evaluation says nothing.
      if (this.listener.stop.aborted) return [];
      results.push(evaluation);
    }
    for (const { name, score } of results) this.log.write('eval', { when, name, ...score });
    return results;
  }
}
