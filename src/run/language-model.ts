/**
 * Text in, text out: a plan's programs and a tokenizer, with adapters that are changed without compiling anything. What
 * opened them, and where adapters come from, is left to whoever extends this.
 */
import type { Plan } from '../../compiler/plan/schema.ts';
import type { Message, Tokenizer } from '../model/tokenizer.ts';
import { fault } from '../report/fault.ts';
import type { Executor } from '../runtime/executor.ts';
import { GREEDY, generate as generateTokens, generationRows, type Sampling } from '../runtime/generate.ts';
import { initialParameters } from '../runtime/parameters.ts';
import { refresh, switchAdapters, switchRows } from '../runtime/session.ts';
import { TextStream } from '../runtime/text-stream.ts';

/** What is answered: a text, or a conversation that ends with a question. */
export type Prompt = string | readonly Message[];

export interface AnswerOptions extends Partial<Sampling> {
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
  /** Ends the answers where they are. */
  signal?: AbortSignal | undefined;
  /** Called with each piece of an answer; `index`: which prompt it belongs to. */
  onText?: (piece: string, index: number) => void;
  /** For each prompt the named adapters of the plan that answer it, instead of those in use. */
  adapters?: readonly (readonly string[])[];
}

export class LanguageModel {
  readonly plan: Plan;
  readonly executor: Executor;
  readonly tokenizer: Tokenizer;
  /** Parameters of the whole plan by the name they were added under. */
  readonly #added = new Map<string, Float32Array>();
  /** What is in the parameter buffer. */
  #parameters: Float32Array;
  #using: readonly string[] = [];
  /** Tokens of each row that the cache holds. */
  #cached: number[][] = [];

  constructor(executor: Executor, tokenizer: Tokenizer) {
    this.executor = executor;
    this.tokenizer = tokenizer;
    this.plan = executor.plan;
    this.#parameters = initialParameters(this.plan, 0);
    executor.write('params', this.#parameters);
  }

  /** Names that `use` takes: adapters of the program, and those that were added. */
  get adapters(): string[] {
    return [...new Set([...this.plan.slots, ...this.#added.keys()])];
  }

  /** Names of the adapters in use; none: the base model alone. */
  get using(): readonly string[] {
    return this.#using;
  }

  /** Whether a name is that of one of several adapters of the plan, each with a place of its own. */
  protected isPlace(name: string): boolean {
    return this.plan.slots.length > 1 && this.plan.slots.includes(name);
  }

  /** Keeps parameters of the whole plan under a name for `use`. */
  protected keep(name: string, parameters: Float32Array): void {
    this.#added.set(name, parameters);
  }

  /** Changes the parameters there are: `edit` gets a copy of them. */
  protected async change(edit: (parameters: Float32Array) => void): Promise<void> {
    const parameters = this.#parameters.slice();
    edit(parameters);
    await this.take(parameters);
  }

  protected async take(parameters: Float32Array): Promise<void> {
    this.#parameters = parameters;
    this.forget();
    this.executor.write('params', parameters);
    await refresh(this.executor);
  }

  /** What the cache holds is of no use any more. */
  protected forget(): void {
    this.#cached = [];
  }

  /**
   * Switches adapters for everything that follows. The name of an added one takes its parameters and switches on all
   * adapters of the plan; names of adapters of the plan switch on these, with the parameters there are.
   */
  async use(...names: string[]): Promise<void> {
    const added = names.length === 1 ? this.#added.get(names[0]) : undefined;
    if (!added) this.#known(names);
    if (added && added !== this.#parameters) await this.take(added);
    this.#using = names;
    this.forget();
    switchAdapters(this.executor, new Set(this.#slotsInUse()));
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
  async generate(prompt: Prompt, options?: AnswerOptions): Promise<string>;
  async generate(prompts: readonly Prompt[] & { 0?: Prompt }, options?: AnswerOptions): Promise<string[]>;
  async generate(
    prompts: Prompt | readonly Prompt[],
    options: AnswerOptions = {},
  ): Promise<string | string[]> {
    const single = isPrompt(prompts);
    const all = single ? [prompts] : (prompts as readonly Prompt[]);
    const { executor, tokenizer } = this;
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
    return maxTokens <= this.room(prompt);
  }

  /** Tokens that an answer to a prompt can have in the plan's context; below 1, none. */
  room(prompt: Prompt): number {
    const messages = typeof prompt === 'string' ? [{ role: 'user' as const, content: prompt }] : prompt;
    return this.plan.context - this.tokenizer.encode(this.tokenizer.render(messages, true)).length;
  }

  #slotsInUse(): readonly string[] {
    const [name] = this.#using;
    return this.#using.length === 1 && this.#added.has(name) ? this.plan.slots : this.#using;
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
