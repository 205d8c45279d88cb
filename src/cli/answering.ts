/** What commands that let a model speak have in common: options of sampling, and adapters by name. */
import { existsSync, readFileSync } from 'node:fs';
import type { Plan } from '../../compiler/plan/schema.ts';
import type { Prompt } from '../api/model.ts';
import { fault } from '../report/fault.ts';
import type { Sampling } from '../runtime/generate.ts';
import { numberOption, type Options, type Values } from './command.ts';
import { adapterFolder } from './program.ts';

export const ANSWER_OPTIONS = {
  adapter: {
    type: 'string',
    value: '[NAME=]DIR',
    multiple: true,
    about: 'adapter folder, under a name (default: OUT/adapter, if it is there)',
  },
  off: { type: 'boolean', about: 'switch all adapters off: the base model alone' },
  'max-tokens': { type: 'string', value: 'N', about: 'longest answer in tokens' },
  stop: { type: 'string', value: 'TEXT', multiple: true, about: 'end the answer before this text' },
  temperature: { type: 'string', value: 'T', about: 'randomness; 0 is greedy (default)' },
  'top-k': { type: 'string', value: 'K', about: 'only the K likeliest tokens' },
  'top-p': { type: 'string', value: 'P', about: 'only the likeliest tokens of total probability P' },
  context: { type: 'string', value: 'N', about: 'room for so many tokens, question and answer together' },
} as const satisfies Options;

type AnswerValues = Values<typeof ANSWER_OPTIONS>;

/** How answers are chosen, and where they end. */
export interface Answering extends Sampling {
  maxTokens: number;
  stop: readonly string[];
}

export function answeringOf(values: AnswerValues, maxTokens: number): Omit<Answering, 'seed'> {
  return {
    temperature: numberOption('temperature', values.temperature, { min: 0 }) ?? 0,
    topK: numberOption('top-k', values['top-k'], { integer: true, min: 0 }) ?? 0,
    topP: numberOption('top-p', values['top-p'], { min: 0, max: 1 }) ?? 1,
    maxTokens: numberOption('max-tokens', values['max-tokens'], { integer: true, min: 1 }) ?? maxTokens,
    stop: values.stop ?? [],
  };
}

export const contextOf = ({ context }: AnswerValues): number | undefined =>
  numberOption('context', context, { integer: true, min: 16 });

/** The seed of sampling: what was given, else that of training. */
export const seedOf = (seed: string | undefined, plan: Plan): number =>
  numberOption('seed', seed, { integer: true, min: 0, max: 2 ** 32 - 1 }) ?? plan.training?.seed ?? 0;

export interface NamedAdapter {
  name: string;
  folder: string;
}

/** The adapters that were given, else the one that training left, as `adapter`. */
export function adaptersOf({ adapter }: AnswerValues, out: string): NamedAdapter[] {
  const trained = adapterFolder(out);
  if (!adapter) return existsSync(trained) ? [{ name: 'adapter', folder: trained }] : [];
  const adapters = adapter.map(text => {
    const [, name = 'adapter', folder = ''] = /^(?:([A-Za-z_]\w*)=)?(.*)$/s.exec(text) ?? [];
    if (!existsSync(folder)) throw fault('file-not-found', `there is no adapter folder \`${folder}\``);
    return { name, folder };
  });
  const names = adapters.map(({ name }) => name);
  const twice = names.find((name, i) => names.indexOf(name) < i || name === 'base' || name === 'off');
  if (twice)
    throw fault('bad-argument', `the name \`${twice}\` of an adapter is taken`, {
      help: 'write `--adapter NAME=DIR` with a name of its own for each',
    });
  return adapters;
}

/** Largest file of prompts that is read. */
const MAX_BYTES = 64 * 2 ** 20;

/** A prompt per line; of a `.jsonl` file its `prompt`, or the conversation in `messages`. Empty lines are passed over. */
export function readPrompts(path: string): Prompt[] {
  if (!existsSync(path)) throw fault('file-not-found', `there is no file \`${path}\``);
  const bytes = readFileSync(path);
  if (bytes.length > MAX_BYTES)
    throw fault('file-too-large', `\`${path}\` is larger than any list of prompts`);
  const prompts = bytes
    .toString('utf8')
    .split(/\r?\n/)
    .flatMap((line, i): Prompt[] => {
      if (line.trim() === '') return [];
      return [path.endsWith('.jsonl') ? promptOf(line, `${path}:${i + 1}`) : line];
    });
  if (prompts.length === 0) throw fault('no-data', `\`${path}\` has no prompts`);
  return prompts;
}

const ROLES = ['system', 'user', 'assistant'];

function promptOf(line: string, place: string): Prompt {
  let record: { prompt?: unknown; messages?: unknown } | null;
  try {
    record = JSON.parse(line);
  } catch {
    throw fault('bad-data', `${place} is not JSON`);
  }
  if (typeof record?.prompt === 'string') return record.prompt;
  const messages = record?.messages;
  const fits = (m: { role?: unknown; content?: unknown } | null) =>
    ROLES.includes(m?.role as string) && typeof m?.content === 'string';
  if (Array.isArray(messages) && messages.length > 0 && messages.every(fits)) return messages;
  throw fault('bad-data', `${place} has neither a text \`prompt\` nor \`messages\` with roles and contents`);
}

/** Longest conversation as one line, for what is printed beside answers. */
export const promptText = (prompt: Prompt): string =>
  typeof prompt === 'string' ? prompt : prompt.map(({ role, content }) => `${role}: ${content}`).join('\n');
