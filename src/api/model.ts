/** A plan with its base model on a device: generates, evaluates, and changes adapters without compiling anything. */
import type { Plan } from '../../compiler/plan/schema.ts';
import { givenDevice, openDevice } from '../gpu/device.ts';
import type { Message } from '../model/tokenizer.ts';
import { fault } from '../report/fault.ts';
import { loadAdapter, loadAdapterAs } from '../run/adapter-file.ts';
import { type Base, openBase, type PlanSource } from '../run/base.ts';
import type { Evaluation } from '../run/evaluate.ts';
import { evaluateBlock } from '../run/evaluate-block.ts';
import { GREEDY, generate as generateTokens, generationRows, type Sampling } from '../runtime/generate.ts';
import { initialParameters } from '../runtime/parameters.ts';
import { refresh, switchAdapters, switchRows } from '../runtime/session.ts';
import { TextStream } from '../runtime/text-stream.ts';
import { listenerOf, type Watching } from './events.ts';

/** A device of your own, which stays open when the model is closed, or the sort to open. */
export type Device = GPUDevice | 'auto' | 'hardware' | 'software';

/** A plan in memory, as `compile` gives it, or a plan folder. */
export type AnyPlan = PlanSource | string;

/** What is answered: a text, or a conversation that ends with a question. */
export type Prompt = string | readonly Message[];

export interface GenerateOptions extends Partial<Sampling>, Watching {
  /** Longest answer in tokens; default 64. */
  maxTokens?: number;
  /** Continue the text as it stands, without the chat format of the model. */
  raw?: boolean;
  /** Texts that end an answer; they are no part of it. */
  stop?: readonly string[];
  /**
   * Keeps what the cache holds of the last answers and runs only the part of each prompt that is new, as the turns of a
   * conversation are. Rounding may differ in the last bit from an answer that starts afresh.
   */
  reuse?: boolean;
  /** Called with each piece of an answer; `index`: which prompt it belongs to. */
  onText?: (piece: string, index: number) => void;
  /** For each prompt the named adapters of the plan that answer it, instead of those in use. */
  adapters?: readonly (readonly string[])[];
}

export interface EvaluateOptions extends Watching {
  /** Names of eval blocks; default: all. */
  only?: readonly string[];
  /** First so many questions of each. */
  limit?: number;
}

export class Model {
  readonly plan: Plan;
  readonly #base: Base;
  /** Parameters of the whole plan by the name they were added under. */
  readonly #added = new Map<string, Float32Array>();
  /** What is in the parameter buffer. */
  #parameters: Float32Array;
  #using: readonly string[] = [];
  /** Tokens of each row that the cache holds. */
  #cached: number[][] = [];

  /** Use `load`. */
  constructor(base: Base) {
    this.#base = base;
    this.plan = base.plan;
    this.#parameters = initialParameters(this.plan, 0);
    this.#base.executor.write('params', this.#parameters);
  }

  /** Names that `use` takes: adapters of the program, and those that were added. */
  get adapters(): string[] {
    return [...new Set([...this.plan.slots, ...this.#added.keys()])];
  }

  /** Names of the adapters in use; none: the base model alone. */
  get using(): readonly string[] {
    return this.#using;
  }

  /**
   * Reads a trained adapter, under a name of your choice, to be taken by `use`. Under the name of one of several adapters of
   * the plan, a folder with one adapter takes that place, so that rows of a batch can choose between them.
   * Throws `adapter-mismatch` if it does not fit the plan.
   */
  async add(name: string, folder: string): Promise<void> {
    const { slots } = this.plan;
    if (slots.length > 1 && slots.includes(name)) {
      const parameters = this.#parameters.slice();
      loadAdapterAs(name, folder, this.plan, parameters);
      await this.#take(parameters);
    } else this.#added.set(name, loadAdapter(folder, this.plan));
  }

  async #take(parameters: Float32Array): Promise<void> {
    const { executor } = this.#base;
    this.#parameters = parameters;
    this.#cached = [];
    executor.write('params', parameters);
    await refresh(executor);
  }

  /**
   * Switches adapters for everything that follows. The name of an added one takes its parameters and switches on all
   * adapters of the plan; names of adapters of the plan switch on these, with the parameters there are.
   */
  async use(...names: string[]): Promise<void> {
    const added = names.length === 1 ? this.#added.get(names[0]) : undefined;
    if (!added) this.#known(names);
    if (added && added !== this.#parameters) await this.#take(added);
    this.#using = names;
    this.#cached = [];
    switchAdapters(this.#base.executor, new Set(this.#slotsInUse()));
  }

  /** Switches all adapters off. */
  off(): Promise<void> {
    return this.use();
  }

  #known(names: readonly string[]): void {
    const unknown = names.find(name => !this.plan.slots.includes(name));
    if (unknown === undefined) return;
    throw fault('bad-argument', `there is no adapter \`${unknown}\``, {
      help: `there are: ${this.adapters.join(', ')}`,
    });
  }

  /**
   * Answers each prompt. Prompts are taken together, as many at a time as the plan was compiled for.
   * Cancelled, it gives what there is so far. Throws `prompt-too-long` beyond the plan's context.
   */
  async generate(prompt: Prompt, options?: GenerateOptions): Promise<string>;
  async generate(prompts: readonly Prompt[] & { 0?: Prompt }, options?: GenerateOptions): Promise<string[]>;
  async generate(
    prompts: Prompt | readonly Prompt[],
    options: GenerateOptions = {},
  ): Promise<string | string[]> {
    const single = isPrompt(prompts);
    const all = single ? [prompts] : (prompts as readonly Prompt[]);
    const { executor, tokenizer } = this.#base;
    const { maxTokens = 64, raw = false, stop, reuse = false, onText, adapters, signal } = options;
    if (adapters) {
      if (adapters.length !== all.length)
        throw fault('bad-argument', `${all.length} prompts, but adapters for ${adapters.length}`);
      this.#known(adapters.flat());
    }
    const render = (one: Prompt): string =>
      typeof one !== 'string'
        ? tokenizer.render(one, true)
        : raw
          ? tokenizer.bosText + one
          : tokenizer.render([{ role: 'user', content: one }], true);
    const texts: string[] = [];
    const batch = Math.max(generationRows(executor), 1);
    try {
      for (let at = 0; at < all.length && !signal?.aborted; at += batch) {
        const part = all.slice(at, at + batch);
        if (adapters) switchRows(executor, adapters.slice(at, at + batch));
        const streams = part.map(() => new TextStream(tokenizer, stop));
        const emit = (row: number, piece: string) => {
          if (piece !== '') onText?.(piece, at + row);
        };
        const ids = part.map(one => tokenizer.encode(render(one)));
        const cached = ids.map((row, i) => (reuse && !adapters ? shared(row, this.#cached[i]) : 0));
        this.#cached = [];
        const tokens = await generateTokens(executor, ids, {
          maxTokens,
          eos: tokenizer.eos,
          sampling: {
            temperature: options.temperature ?? GREEDY.temperature,
            topK: options.topK ?? GREEDY.topK,
            topP: options.topP ?? GREEDY.topP,
            seed: options.seed ?? GREEDY.seed,
          },
          cached,
          onToken(row, token) {
            emit(row, streams[row].push(token));
            return streams[row].stopped;
          },
          ...(signal ? { stop: signal } : {}),
        });
        for (const [row, stream] of streams.entries()) {
          emit(row, stream.finish());
          texts.push(stream.text);
        }
        // The last token of an answer is not run unless another follows.
        if (!adapters) this.#cached = ids.map((row, i) => [...row, ...tokens[i].slice(0, -1)]);
      }
    } finally {
      if (adapters) switchAdapters(executor, new Set(this.#slotsInUse()));
    }
    return single ? (texts[0] ?? '') : texts;
  }

  /** Whether a prompt and an answer of so many tokens have room in the plan's context. */
  fits(prompt: readonly Message[], maxTokens: number): boolean {
    const { tokenizer } = this.#base;
    return tokenizer.encode(tokenizer.render(prompt, true)).length + maxTokens <= this.plan.context;
  }

  #slotsInUse(): readonly string[] {
    const [name] = this.#using;
    return this.#using.length === 1 && this.#added.has(name) ? this.plan.slots : this.#using;
  }

  /** Runs eval blocks of the program with the adapters in use. */
  async evaluate({ only, limit, signal, onEvent }: EvaluateOptions = {}): Promise<Evaluation[]> {
    const { evals } = this.plan;
    const unknown = only?.find(name => !evals.some(e => e.name === name));
    if (unknown !== undefined)
      throw fault('bad-argument', `there is no eval block \`${unknown}\``, {
        help: `there are: ${evals.map(e => e.name).join(', ') || 'none'}`,
      });
    this.#cached = [];
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

/** Tokens at the start of a prompt that need not be run again; the last one always is, for what follows it. */
function shared(prompt: readonly number[], cached: readonly number[] = []): number {
  const most = Math.min(prompt.length - 1, cached.length);
  let same = 0;
  while (same < most && prompt[same] === cached[same]) same++;
  return same;
}

/** A conversation is a list, too: of messages. */
function isPrompt(given: Prompt | readonly Prompt[]): given is Prompt {
  return (
    typeof given === 'string' ||
    (given.length > 0 && given.every(one => typeof one === 'object' && 'role' in one))
  );
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
