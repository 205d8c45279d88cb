/** A plan with its base model on a device: generates, evaluates, and changes adapters without compiling anything. */
import { givenDevice, openDevice } from '../gpu/device.ts';
import { fault } from '../report/fault.ts';
import { loadAdapter, loadAdapterAs } from '../run/adapter-file.ts';
import { type Base, openBase, type PlanSource } from '../run/base.ts';
import type { Evaluation } from '../run/evaluate.ts';
import { evaluateBlock } from '../run/evaluate-block.ts';
import { type AnswerOptions, LanguageModel, type Prompt } from '../run/language-model.ts';
import { listenerOf, type Watching } from './events.ts';

export type { Prompt } from '../run/language-model.ts';

/** A device of your own, which stays open when the model is closed, or the sort to open. */
export type Device = GPUDevice | 'auto' | 'hardware' | 'software';

/** A plan in memory, as `compile` gives it, or a plan folder. */
export type AnyPlan = PlanSource | string;

export interface GenerateOptions extends AnswerOptions, Watching {}

export interface EvaluateOptions extends Watching {
  /** Names of eval blocks; default: all. */
  only?: readonly string[];
  /** First so many questions of each. */
  limit?: number;
}

export class Model extends LanguageModel {
  readonly #base: Base;

  /** Use `load`. */
  constructor(base: Base) {
    super(base.executor, base.tokenizer);
    this.#base = base;
  }

  /**
   * Reads a trained adapter, under a name of your choice, to be taken by `use`. Under the name of one of several adapters of
   * the plan, a folder with one adapter takes that place, so that rows of a batch can choose between them.
   * Throws `adapter-mismatch` if it does not fit the plan.
   */
  async add(name: string, folder: string): Promise<void> {
    if (this.isPlace(name)) await this.change(flat => loadAdapterAs(name, folder, this.plan, flat));
    else this.keep(name, loadAdapter(folder, this.plan));
  }

  /** Runs eval blocks of the program with the adapters in use. */
  async evaluate({ only, limit, signal, onEvent }: EvaluateOptions = {}): Promise<Evaluation[]> {
    const { evals } = this.plan;
    const unknown = only?.find(name => !evals.some(e => e.name === name));
    if (unknown !== undefined)
      throw fault('bad-argument', `there is no eval block \`${unknown}\``, {
        help: `there are: ${evals.map(e => e.name).join(', ') || 'none'}`,
      });
    this.forget();
    const results: Evaluation[] = [];
    for (const block of evals.filter(e => only?.includes(e.name) ?? true)) {
      const part = limit === undefined ? block : { ...block, limit };
      results.push(await evaluateBlock(this.#base, part, listenerOf({ signal, onEvent })));
      // Half an evaluation says nothing.
      signal?.throwIfAborted();
    }
    return results;
  }

  /** Frees everything on the device, and the device unless it is yours. */
  close(): void {
    this.#base.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

export interface LoadOptions extends Watching {}

/** Opens a plan on a device, with the weights of its base model. Adapters are off, and as they are before training. */
export async function load(
  plan: AnyPlan,
  device: Device = 'auto',
  options: LoadOptions = {},
): Promise<Model> {
  const { phase, warn } = listenerOf(options);
  const { signal } = options;
  const base = await openBase(
    plan,
    name => {
      signal?.throwIfAborted();
      phase(name);
    },
    { use: 'generation', openDevice: opener(device), warn },
  );
  const model = new Model(base);
  try {
    signal?.throwIfAborted();
    await model.off();
    return model;
  } catch (error) {
    model.close();
    throw error;
  }
}

/** How `openBase` gets a device of the caller's choice. */
export function opener(device: Device): typeof openDevice {
  if (typeof device === 'object') return async () => givenDevice(device);
  return options => openDevice({ ...options, choose: device });
}

/** The answer to a prompt, from a model that is loaded, or from a plan that is loaded for it alone. */
export async function generate(
  model: Model | AnyPlan,
  prompt: Prompt,
  options: GenerateOptions & OneOff = {},
): Promise<string> {
  return withModel(model, options, loaded => loaded.generate(prompt, options));
}

/** Accuracy on the eval blocks of a program: of the base, or of the adapter that is named or in use. */
export async function evaluate(
  model: Model | AnyPlan,
  options: EvaluateOptions & OneOff = {},
): Promise<Evaluation[]> {
  return withModel(model, options, loaded => loaded.evaluate(options));
}

/** For a plan that is loaded for one piece of work. */
export interface OneOff {
  device?: Device;
  /** Folder of a trained adapter. */
  adapter?: string;
}

async function withModel<T>(
  given: Model | AnyPlan,
  options: Watching & OneOff,
  work: (model: Model) => Promise<T>,
): Promise<T> {
  if (given instanceof Model) return work(given);
  const model = await load(given, options.device, options);
  try {
    if (options.adapter !== undefined) {
      await model.add('adapter', options.adapter);
      await model.use('adapter');
    }
    return await work(model);
  } finally {
    model.close();
  }
}
