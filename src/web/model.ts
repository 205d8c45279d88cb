/** A plan and its base model in a page or a worker: trains, answers, switches adapters, shows where tokens went. */

import { batchesInOrder, batchStream } from '../data/batches.ts';
import { recordTexts } from '../data/record-texts.ts';
import { recordsOf } from '../data/records.ts';
import { samplesOf, type TrainingSamples } from '../data/training-samples.ts';
import { encodeSafetensors, SafetensorsBytes } from '../model/safetensors-bytes.ts';
import { fault } from '../report/fault.ts';
import { LanguageModel, type Prompt } from '../run/language-model.ts';
import type { StepEvent } from '../run/listener.ts';
import { insertAdapter, namedParameters, parametersFrom } from '../runtime/adapter-tensors.ts';
import { type Watched, watchDevice } from '../runtime/device.ts';
import { Executor } from '../runtime/executor.ts';
import { initialParameters } from '../runtime/parameters.ts';
import type { CheckedPlan } from '../runtime/read-plan.ts';
import { scheduleFactor } from '../runtime/schedule.ts';
import { Session } from '../runtime/session.ts';
import { curvatureRanges, telemetryOf } from '../runtime/telemetry.ts';
import { type Folder, folderWith, planIn, tensorsIn, textOf, tokenizerIn } from './files.ts';
import { routesOf, type SiteRoutes } from './routes.ts';

export interface OpenOptions {
  /** A device of yours, opened with the plan's limits; default: one of its own, closed with the model. */
  device?: GPUDevice;
  signal?: AbortSignal;
  onPhase?: (phase: string) => void;
}

export interface TrainOptions {
  /** Stops after so many steps; the schedule stays that of the whole run. */
  steps?: number;
  /** Ends the training after the step at hand. */
  signal?: AbortSignal;
  onStep?: (event: StepEvent) => void;
}

export interface Trained {
  steps: number;
  stopped: boolean;
  loss: number;
  /** Mean loss on what was held out, if anything was. */
  validation?: number;
}

/** Name under which a training leaves its adapter. */
export const TRAINED = 'trained';

export class WebModel extends LanguageModel {
  readonly #watched: Watched;
  readonly #owned: boolean;

  private constructor(
    executor: Executor,
    tokenizer: LanguageModel['tokenizer'],
    watched: Watched,
    owned: boolean,
  ) {
    super(executor, tokenizer);
    this.#watched = watched;
    this.#owned = owned;
  }

  /** Opens a plan folder with the folder of its base model; adapters are off. Faults: those of reading, and `no-gpu`. */
  static async open(plan: Folder, model: Folder, options: OpenOptions = {}): Promise<WebModel> {
    const { signal, onPhase } = options;
    const phase = (name: string) => {
      signal?.throwIfAborted();
      onPhase?.(name);
    };
    phase('reading the plan');
    const checked = await planIn(plan);
    if (!checked.plan.model)
      throw fault('plan-invalid', 'the plan is of adapters alone and has no base model');
    const folder = folderWith('config.json', model);
    phase('reading the tokenizer');
    const tokenizer = await tokenizerIn(folder, checked.plan.model.vocabulary);
    const tensors = await tensorsIn(folder);
    phase('opening the GPU');
    const device = options.device ?? (await deviceFor(checked));
    const watched = watchDevice(device, { claim: options.device === undefined });
    try {
      const executor = await Executor.open(checked.plan, checked.files, watched, tensors, { onPhase: phase });
      const opened = new WebModel(executor, tokenizer, watched, options.device === undefined);
      await opened.off();
      return opened;
    } catch (error) {
      if (options.device === undefined) watched.close();
      throw error;
    }
  }

  /** An adapter of this plan, from the bytes of its adapter.safetensors; see `Model.add` of the package's main entry. */
  async add(name: string, file: Blob): Promise<void> {
    const tensors = new SafetensorsBytes(await file.arrayBuffer(), name);
    if (this.isPlace(name)) await this.change(flat => insertAdapter(name, this.plan, flat, tensors, name));
    else this.keep(name, parametersFrom(this.plan, tensors, name));
  }

  /** The samples of data files, as training takes them: those to train on, those held out. */
  async samples(files: readonly Blob[]): Promise<TrainingSamples> {
    const { plan, tokenizer } = this;
    if (!plan.data || !plan.training) throw fault('no-training', 'the plan says nothing to train on');
    const records = [];
    for (const [i, file] of files.entries()) {
      const name = (file as Partial<File>).name || `file ${i + 1}`;
      const text = await textOf(new Map([[name, file]]), name);
      records.push(...recordsOf(recordTexts(text!, name), name, plan.data.format).records);
    }
    return samplesOf(records, plan.data, tokenizer, plan.training.seed);
  }

  /**
   * Trains from the start, and takes the result into use as `trained`. The steps are those of `mos train`, to the last bit on
   * the same device; checkpoints are not written. Faults: those of the data, `not-finite-loss`, `gpu-lost`.
   */
  async train(files: readonly Blob[], { steps, signal, onStep }: TrainOptions = {}): Promise<Trained> {
    const { executor, plan } = this;
    const { train, validation } = await this.samples(files);
    const training = plan.training!;
    const session = new Session(executor);
    const stream = batchStream(train, training.batch, training.seed, 0);
    const last = Math.min(steps ?? training.steps, training.steps);
    const rate = Math.max(0, ...plan.groups.filter(g => g.name === 'adapter').map(g => g.lr));
    this.forget();
    session.start(initialParameters(plan, training.seed));
    let step = 0;
    let loss = Number.NaN;
    while (step < last && !signal?.aborted) {
      const started = performance.now();
      const factor = scheduleFactor(training, step);
      const batches = Array.from({ length: training.accumulate }, () => stream.next());
      const result = await session.step(batches, factor, step, training.seed);
      this.#watched.check();
      step++;
      loss = result.loss;
      if (!Number.isFinite(result.norm))
        throw fault('not-finite-loss', `the gradient of step ${step} is not finite`);
      const ranges = curvatureRanges(plan);
      const stored = ranges.length > 0 ? await executor.readRanges('params', ranges) : new Float32Array();
      onStep?.({
        step,
        steps: last,
        loss,
        balance: result.balance,
        gradientNorm: result.norm,
        learningRate: factor * rate,
        tokens: result.tokens,
        targets: result.targets,
        seconds: (performance.now() - started) / 1000,
        routers: telemetryOf(plan, result.stats, stored),
      });
    }
    const held =
      validation.length > 0 && !signal?.aborted
        ? await session.validate(batchesInOrder(validation, training.batch))
        : undefined;
    this.keep(TRAINED, await session.parameters());
    await this.use(TRAINED);
    return { steps: step, stopped: step < last, loss, ...(held === undefined ? {} : { validation: held }) };
  }

  /** The adapter in use as the bytes of an adapter.safetensors, which `mos` and `add` read. */
  async adapterFile(): Promise<Blob> {
    const parameters = await new Session(this.executor).parameters();
    const pieces = encodeSafetensors(namedParameters(this.plan, parameters), { format: 'mos-adapter' });
    return new Blob(pieces as Uint8Array<ArrayBuffer>[]);
  }

  /** The tokens of a text, each with its own piece of it, and which space every adapted module sent them to. */
  async routes(prompt: Prompt): Promise<{ tokens: string[]; sites: SiteRoutes[] }> {
    const { tokenizer } = this;
    const ids = tokenizer.encode(typeof prompt === 'string' ? prompt : tokenizer.render(prompt, false));
    const kept = ids.slice(0, this.plan.context - 1);
    this.forget();
    return {
      tokens: kept.map(id => tokenizer.decode([id], true)),
      sites: await routesOf(this.executor, kept),
    };
  }

  /** Frees everything on the device, and the device unless it is yours. */
  close(): void {
    this.executor.close();
    if (this.#owned) this.#watched.close();
  }
}

/** A device with the limits of the plan. Faults: `no-gpu`, `gpu-limit`. */
async function deviceFor({ plan }: CheckedPlan): Promise<GPUDevice> {
  const gpu = (globalThis.navigator as Partial<Navigator> | undefined)?.gpu;
  const adapter = await gpu?.requestAdapter({ powerPreference: 'high-performance' });
  if (!adapter) {
    throw fault('no-gpu', gpu ? 'there is no GPU for WebGPU' : 'this runtime has no WebGPU', {
      help: 'use a browser with WebGPU, or hand in a device',
    });
  }
  const offered = adapter.limits as unknown as Record<string, number | undefined>;
  const short = Object.entries(plan.requires.limits).filter(
    ([name, wanted]) => (offered[name] ?? 0) < wanted,
  );
  if (short.length > 0) {
    throw fault('gpu-limit', 'the GPU is too small for this plan', {
      notes: short.map(
        ([name, wanted]) => `${name}: ${wanted} needed, ${offered[name] ?? 'nothing'} offered`,
      ),
    });
  }
  return adapter.requestDevice({ requiredLimits: plan.requires.limits });
}
