/**
 * Generation with a key-value cache. Prompts of different lengths are packed end to end; `prefill` fills the caches, a piece
 * at a time, and gives the first token of every row, `decode` one more per call. Rows that have ended leave the batch.
 */
import { fault } from '../report/portable.ts';
import type { Executor } from './executor.ts';
import { uniformStream } from './random.ts';
import { EVALUATION } from './session.ts';

export interface Sampling {
  /** 0: greedy, the largest logit. */
  temperature: number;
  /** Only the so many likeliest tokens; 0: all. */
  topK: number;
  /** Only the likeliest tokens that together reach this probability; 1: all. */
  topP: number;
  seed: number;
}

export const GREEDY: Sampling = { temperature: 0, topK: 0, topP: 1, seed: 0 };

export interface GenerateOptions {
  maxTokens: number;
  /** Tokens that end a row; they are not part of the result. */
  eos: readonly number[];
  sampling?: Sampling;
  /** Called for every token as it is chosen; `true` ends the row with it. */
  onToken?: (row: number, token: number) => boolean | undefined;
  /** Leading tokens of each prompt that an earlier call has left in the cache of its row; fewer than all. */
  cached?: readonly number[];
  /** Checked between tokens. */
  stop?: AbortSignal;
}

interface Row {
  index: number;
  /** Tokens in the cache. */
  length: number;
  out: number[];
}

/** Largest number of prompts `generate` takes at a time. */
export function generationRows(executor: Executor): number {
  return executor.plan.generation?.rows ?? 0;
}

/** Continues each prompt. Faults: `prompt-too-long` when prompt and answer exceed the plan's context. */
export async function generate(
  executor: Executor,
  prompts: readonly ArrayLike<number>[],
  options: GenerateOptions,
): Promise<number[][]> {
  const { context } = executor.plan;
  const { maxTokens, eos } = options;
  if (prompts.length > generationRows(executor))
    throw new Error(
      `bug: ${prompts.length} prompts at a time, beyond the plan's ${generationRows(executor)}`,
    );
  if (prompts.length === 0 || maxTokens < 1) return prompts.map(() => []);
  const longest = Math.max(...prompts.map(p => p.length));
  if (longest + maxTokens > context) {
    throw fault(
      'prompt-too-long',
      `a prompt of ${longest} tokens and ${maxTokens} new ones exceed the context of ${context} tokens`,
    );
  }
  const rows: Row[] = prompts.map((p, index) => ({ index, length: p.length, out: [] }));
  let next = await prefill(executor, prompts, options);
  let active = rows;
  for (let produced = 1; ; produced++) {
    active = active.filter((row, i) => {
      if (eos.includes(next[i])) return false;
      row.out.push(next[i]);
      return !options.onToken?.(row.index, next[i]);
    });
    if (active.length === 0 || produced === maxTokens || options.stop?.aborted) break;
    next = await decode(executor, active, options);
    for (const row of active) row.length++;
  }
  return rows.map(r => r.out);
}

interface Step {
  ids: number[];
  position: number[];
  row: number[];
  /** Token rows whose logits are wanted. */
  last: number[];
}

/** Runs the prompts through, as many tokens at a time as the plan has room for, and gives the token that follows each. */
async function prefill(
  executor: Executor,
  prompts: readonly ArrayLike<number>[],
  options: GenerateOptions,
): Promise<number[]> {
  const next: number[] = [];
  let step: Step = { ids: [], position: [], row: [], last: [] };
  const flush = async () => {
    if (step.ids.length === 0) return;
    const ended = step.last.map(at => step.row[at]);
    next.push(...(await run(executor, 'prefill', step, options, ended, 0)));
    step = { ids: [], position: [], row: [], last: [] };
  };
  for (const [row, prompt] of prompts.entries()) {
    for (let i = options.cached?.[row] ?? 0; i < prompt.length; i++) {
      step.ids.push(prompt[i]);
      step.position.push(i);
      step.row.push(row);
      if (i === prompt.length - 1) step.last.push(step.ids.length - 1);
      if (step.ids.length === executor.plan.generation!.tokens) await flush();
    }
  }
  await flush();
  return next;
}

function decode(executor: Executor, active: Row[], options: GenerateOptions): Promise<number[]> {
  const step: Step = {
    ids: active.map(r => r.out.at(-1)!),
    position: active.map(r => r.length),
    row: active.map(r => r.index),
    last: active.map((_, i) => i),
  };
  return run(executor, 'decode', step, options, step.row, active[0].out.length);
}

async function run(
  executor: Executor,
  program: 'prefill' | 'decode',
  step: Step,
  options: GenerateOptions,
  rows: number[],
  count: number,
): Promise<number[]> {
  const { context } = executor.plan;
  const { ids, position, row, last } = step;
  const slot = position.map((p, i) => row[i] * context + p);
  const keys = position.flatMap((p, i) => [row[i] * context, row[i] * context + p + 1]);
  const inputs = { ids, position, row, slot, keys, target_index: last };
  for (const [name, words] of Object.entries(inputs))
    if (words.length > 0) executor.write(name, Uint32Array.from(words));
  await executor.run([program], { tokens: ids.length, targets: last.length, rows: last.length }, EVALUATION);
  if (last.length === 0) return [];
  const { sampling = GREEDY } = options;
  if (sampling.temperature === 0) {
    const next = await executor.read('next', last.length);
    return [...new Uint32Array(next.buffer)];
  }
  const { vocabulary } = executor.plan.model!;
  const ld = executor.plan.generation!.columns;
  const logits = await executor.read('logits', last.length * ld);
  return last.map((_, i) =>
    sample(
      logits.subarray(i * ld, i * ld + vocabulary),
      sampling,
      uniformStream(sampling.seed, `row ${rows[i]}`)(count),
    ),
  );
}

/** One token from logits; `u` uniform in (0, 1). Order: temperature, top-k, top-p, as transformers' warpers. */
export function sample(logits: ArrayLike<number>, { temperature, topK, topP }: Sampling, u: number): number {
  const order = Array.from({ length: logits.length }, (_, i) => i).sort(
    (a, b) => logits[b] - logits[a] || a - b,
  );
  const kept = order.slice(0, topK > 0 ? topK : order.length);
  const weights = kept.map(i => Math.exp((logits[i] - logits[kept[0]]) / temperature));
  const total = weights.reduce((a, b) => a + b, 0);
  let mass = 0;
  let count = 0;
  // the token that crosses the threshold is kept
  while (count < kept.length && mass < topP * total) mass += weights[count++];
  let at = u * mass;
  for (let i = 0; i < count; i++) {
    at -= weights[i];
    if (at <= 0) return kept[i];
  }
  return kept[Math.max(count - 1, 0)];
}
