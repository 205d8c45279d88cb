/**
 * A published evaluation: the questions of a test set are asked greedily in batches, answers recorded as they come, then
 * read and scored by the protocol. What an earlier run recorded is not asked again.
 */
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import type { Plan } from '../../compiler/plan/schema.ts';
import { readTestSet, type TestItem, type TestSet } from '../data/questions.ts';
import { type Score, summarise } from '../data/score.ts';
import { lockFolder } from '../host/lock.ts';
import { findModel, modelNotFound } from '../model/cache.ts';
import { openCheckpoint } from '../model/checkpoint.ts';
import type { Tokenizer } from '../model/tokenizer.ts';
import {
  PROMPTS,
  PROTOCOLS,
  type Prompt,
  type PromptName,
  type Protocol,
  type ProtocolName,
} from '../protocols/index.ts';
import { generate, generationRows } from '../runtime/generate.ts';
import { parameterFloats } from '../runtime/parameters.ts';
import { refresh, switchAdapters } from '../runtime/session.ts';
import { TextStream } from '../runtime/text-stream.ts';
import { loadAdapter } from './adapter-file.ts';
import { type Base, openBase } from './base.ts';
import { type Asked, beginRecord, type RecordedAnswer, readAnswers } from './evaluate-record.ts';
import { COMPILING, type Listener } from './listener.ts';
import { readPlan } from './plan-folder.ts';

export type Side = 'base' | 'adapter';

export interface ProtocolArgs {
  /** Plan folder. */
  plan: string;
  /** Folder of the records, `PROTOCOL.SIDE.jsonl`; one process at a time. */
  out: string;
  adapter?: string;
  sides: Side[];
  protocol: ProtocolName;
  prompt: PromptName;
  rule: string;
  /** Test file. */
  data: string;
  maxTokens: number;
  /** Questions at a time; not more than the plan has room for. */
  batch: number;
  limit?: number;
}

export interface SideResult {
  side: Side;
  score: Score;
  /** Answers in which the rule found nothing; they count as wrong. */
  none: number;
  record: string;
}

/** What a model is asked. */
export function promptOf(item: TestItem, protocol: Protocol, prompt: Prompt, tokenizer: Tokenizer) {
  const text = prompt.text({ ...item, question: item.question + (protocol.ask ?? '') }, tokenizer);
  return { text, ids: tokenizer.encode(text) };
}

/** Asks each side. When stopped, the results are those of the questions answered so far. */
export async function evaluateProtocol(
  args: ProtocolArgs,
  listener: Omit<Listener, 'warn'>,
): Promise<SideResult[]> {
  const { plan } = readPlan(args.plan);
  const set = readTestSet(args.data, PROTOCOLS[args.protocol].gold);
  const parameters = args.adapter ? loadAdapter(args.adapter, plan) : new Float32Array(parameterFloats(plan));
  const model = modelHash(plan, args.plan);
  const adapter = sha256(
    JSON.stringify([plan.slots, plan.sites.map(({ origin: _, ...site }) => site)]),
    new Uint8Array(parameters.buffer),
  );
  let base: Base | undefined;
  /** Opened for the first question that is not on record. */
  const open = async () => {
    if (base) return base;
    base = await openBase(args.plan, listener.phase, { use: 'generation' });
    base.executor.write('params', parameters);
    return base;
  };
  const lock = lockFolder(args.out);
  try {
    const results: SideResult[] = [];
    for (const side of args.sides) {
      if (listener.stop.aborted) break;
      const asked: Asked = {
        protocol: args.protocol,
        prompt: args.prompt,
        maxTokens: args.maxTokens,
        decoding: 'greedy',
        data: set.hash,
        model,
        adapter: side === 'adapter' ? adapter : null,
      };
      results.push(await evaluateSide(side, asked, set, args, open, listener));
    }
    return results;
  } finally {
    base?.close();
    lock.release();
  }
}

async function evaluateSide(
  side: Side,
  asked: Asked,
  set: TestSet,
  args: ProtocolArgs,
  open: () => Promise<Base>,
  listener: Omit<Listener, 'warn'>,
): Promise<SideResult> {
  const protocol: Protocol = PROTOCOLS[args.protocol];
  const items = set.items.slice(0, args.limit);
  const record = join(args.out, `${args.protocol}.${side}.jsonl`);
  const scored = (index: number, prompt: string, output: string): RecordedAnswer => {
    const { line, gold } = set.items[index];
    const extracted = protocol.rules[args.rule](output) ?? null;
    const correct = extracted !== null && protocol.same(extracted, gold);
    return { index, line, prompt, output, extracted, gold, correct };
  };
  const answers = readAnswers(record, asked).map(a => scored(a.index, a.prompt, a.output));
  const { scoring, decoding: published } = protocol;
  const log = beginRecord(record, { ...asked, rule: args.rule, scoring, published }, answers);
  try {
    const known = new Set(answers.map(a => a.index));
    const pending = [...items.keys()].filter(index => !known.has(index));
    const done = items.length - pending.length;
    if (done > 0) listener.log(`${side}: ${done} of ${items.length} answers are in ${record} already`);
    if (pending.length > 0) {
      const base = await open();
      switchAdapters(base.executor, new Set(side === 'adapter' ? base.plan.slots : []));
      await refresh(base.executor);
      const phase = () => listener.phase(`evaluating ${args.protocol} (${side})`, COMPILING);
      phase();
      for await (const batch of ask(base, items, pending, args, listener.stop, phase)) {
        for (const { index, prompt, output } of batch) {
          const answer = scored(index, prompt, output);
          answers.push(answer);
          log.write('answer', { ...answer });
        }
        log.sync();
        const step = answers.filter(a => a.index < items.length).length;
        listener.progress({ label: `${args.protocol} ${side}`, step, steps: items.length });
      }
    }
  } finally {
    log.close();
  }
  // an earlier run may have had a larger limit
  const counted = answers.filter(a => a.index < items.length);
  return {
    side,
    score: summarise(counted.filter(a => a.correct).length, counted.length),
    none: counted.filter(a => a.extracted === null).length,
    record,
  };
}

/** A sign of life during a long batch, milliseconds. */
const BEAT = 10_000;

/** Texts to the questions with these indices, a batch at a time. Ends early when stopped. */
async function* ask(
  { executor, tokenizer }: Base,
  items: readonly TestItem[],
  pending: readonly number[],
  args: ProtocolArgs,
  stop: AbortSignal,
  alive: () => void,
): AsyncGenerator<{ index: number; prompt: string; output: string }[]> {
  const protocol: Protocol = PROTOCOLS[args.protocol];
  const prompt: Prompt = PROMPTS[args.prompt];
  const { maxTokens } = args;
  const end = tokenizer.idOf(prompt.stop ?? '');
  const eos = end === undefined ? tokenizer.eos : [...tokenizer.eos, end];
  const size = Math.min(args.batch, generationRows(executor));
  let last = performance.now();
  for (let at = 0; at < pending.length && !stop.aborted; at += size) {
    const part = pending.slice(at, at + size);
    const prompts = part.map(index => promptOf(items[index], protocol, prompt, tokenizer));
    const streams = part.map(() => new TextStream(tokenizer, [prompt.stop ?? '']));
    const tokens = await generate(
      executor,
      prompts.map(p => p.ids),
      {
        maxTokens,
        eos,
        stop,
        onToken: (row, token) => {
          if (performance.now() > last + BEAT) {
            alive();
            last = performance.now();
          }
          streams[row].push(token);
          return streams[row].stopped;
        },
      },
    );
    // an answer that was cut short by a stop is no answer
    if (stop.aborted) return;
    yield part.map((index, i) => {
      const text = tokenizer.decode(tokens[i]);
      const [output] = prompt.stop === undefined ? [text] : text.split(prompt.stop, 1);
      return { index, prompt: prompts[i].text, output: output.trim() };
    });
  }
}

/** Of the base model: its configuration, the headers of its weights, and how they are stored on the GPU. */
function modelHash({ model, sources, buffers }: Plan, folder: string): string {
  if (!model) throw new Error('bug: this plan has no base model');
  const found = findModel(model.path, folder);
  if (!found) throw modelNotFound(model.path);
  const checkpoint = openCheckpoint(found.folder);
  try {
    const storages = buffers.flatMap(b => (b.content?.kind === 'weights' ? [b.content.storage] : []));
    return sha256(checkpoint.fingerprint(), sources.model, storages.join());
  } finally {
    checkpoint.close();
  }
}

function sha256(...parts: (string | Uint8Array)[]): string {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return hash.digest('hex');
}
