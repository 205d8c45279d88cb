/**
 * tokenizer.json is data from strangers that drives a regular-expression engine without a deadline. Before it is used:
 * the patterns are refused if they could backtrack exponentially, ids must be distinct, merges must refer to tokens.
 */
import { fault } from '../report/fault.ts';
import { quote } from './text.ts';

const LONGEST_PATTERN = 4096;

/** Repetitions up to this count are harmless even around others. */
const FEW = 4;

/**
 * Whether a pattern is free of what can take exponential time: a repetition around a group that itself repeats, has an
 * optional part or offers alternatives — `(a+)+`, `(a?a?)+`, `(a|a)*` — and back-references. The patterns of GPT-2,
 * Llama 3, Qwen and their relatives repeat single classes only and pass.
 */
export function isSafePattern(pattern: string): boolean {
  if (pattern.length > LONGEST_PATTERN) return false;
  // For every open group: does it hold an unbounded repetition or an alternative?
  const groups: boolean[] = [false];
  let lastGroupIsRisky = false;
  let groupEnd = -1;
  for (let i = 0; i < pattern.length; i++) {
    const c = pattern[i]!;
    if (c === '\\') {
      if (/[1-9k]/.test(pattern[i + 1] ?? '')) return false;
      i++;
    } else if (c === '[') {
      i = classEnd(pattern, i);
    } else if (c === '(') {
      groups.push(false);
    } else if (c === ')') {
      if (groups.length === 1) return false;
      lastGroupIsRisky = groups.pop()!;
      groupEnd = i;
      if (lastGroupIsRisky) groups[groups.length - 1] = true;
    } else if (c === '|' || (c === '?' && pattern[i - 1] !== '(')) {
      if (groups.length > 1) groups[groups.length - 1] = true;
    } else if (c === '*' || c === '+' || c === '{') {
      const count = c === '{' ? /^\{\d*(,?)(\d*)\}/.exec(pattern.slice(i, i + 24)) : null;
      if (c === '{' && !count) continue;
      const most = count
        ? Number(count[2] || (count[1] ? Number.POSITIVE_INFINITY : count[0].slice(1, -1)))
        : Number.POSITIVE_INFINITY;
      const many = most > FEW;
      if (many && lastGroupIsRisky && groupEnd === i - 1) return false;
      if (many) groups[groups.length - 1] = true;
      if (count) i += count[0].length - 1;
      // A repetition of a repetition; a lone `+` or `?` behind `+`, `*` or `?` only says how it backtracks.
      if (count && /[*+{]/.test(pattern[i + 1] ?? '')) return false;
    }
  }
  return groups.length === 1;
}

/** Position of the `]` that closes a class, nested classes and escapes skipped. */
function classEnd(pattern: string, start: number): number {
  let depth = 0;
  for (let i = start; i < pattern.length; i++) {
    if (pattern[i] === '\\') i++;
    else if (pattern[i] === '[') depth++;
    else if (pattern[i] === ']' && --depth === 0) return i;
  }
  return pattern.length;
}

type Json = Record<string, unknown>;
type Complain = (message: string) => never;

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Checks a parsed tokenizer.json. Faults: `bad-tokenizer`, `unsafe-tokenizer`. */
export function checkTokenizerJson(json: unknown, path: string): Json {
  const bad: Complain = message => {
    throw fault('bad-tokenizer', `${quote(path)}: ${message}`);
  };
  if (!isObject(json) || !isObject(json.model)) bad('there is no object `model`');
  for (const part of ['normalizer', 'pre_tokenizer', 'post_processor', 'decoder'])
    checkPatterns(json[part], path);
  if (!Array.isArray(json.added_tokens ?? [])) bad('`added_tokens` is not a list');

  const { model } = json;
  const kind = model.type ?? (model.merges ? 'BPE' : undefined);
  if (kind !== 'BPE' && kind !== 'Unigram') bad(`the model type ${quote(String(kind))} is not supported`);
  const textOf = new Map<number, string>();
  if (kind === 'BPE') checkBpe(model, textOf, bad);

  for (const token of (json.added_tokens ?? []) as unknown[]) {
    if (!isObject(token) || typeof token.content !== 'string' || token.content === '' || !isId(token.id)) {
      bad('an added token lacks its id or text');
    }
    const other = textOf.get(token.id as number);
    if (other !== undefined && other !== token.content) {
      bad(`${quote(token.content)} and ${quote(other)} have the same id ${token.id}`);
    }
    textOf.set(token.id as number, token.content);
  }
  return json;
}

function checkBpe(model: Json, textOf: Map<number, string>, bad: Complain): void {
  if (!isObject(model.vocab)) bad('`model.vocab` is not an object');
  const words = new Set<string>();
  for (const [text, id] of Object.entries(model.vocab)) {
    if (!isId(id)) bad(`the token ${quote(text)} has no valid id`);
    const other = textOf.get(id as number);
    if (other !== undefined) bad(`${quote(text)} and ${quote(other)} have the same id ${id}`);
    textOf.set(id as number, text);
    words.add(text);
  }
  if (!Array.isArray(model.merges)) bad('`model.merges` is not a list');
  // A prefix such as `##` is dropped from the right part when two tokens are joined.
  const prefix = typeof model.continuing_subword_prefix === 'string' ? model.continuing_subword_prefix : '';
  for (const [i, merge] of model.merges.entries()) {
    const pair: unknown = typeof merge === 'string' ? merge.split(' ') : merge;
    if (!Array.isArray(pair) || pair.length !== 2 || !pair.every(part => typeof part === 'string')) {
      bad(`merge ${i + 1} is not a pair`);
    }
    const [left, right] = pair as [string, string];
    const joined = left + (prefix && right.startsWith(prefix) ? right.slice(prefix.length) : right);
    const missing = [left, right, joined].find(part => !words.has(part));
    if (missing !== undefined) bad(`merge ${i + 1} needs ${quote(missing)}, which is not in the vocabulary`);
  }
}

function isId(value: unknown): boolean {
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) < 2 ** 24;
}

/** Every `Regex` anywhere below `part`. */
function checkPatterns(part: unknown, path: string): void {
  if (Array.isArray(part)) {
    for (const item of part) checkPatterns(item, path);
  } else if (isObject(part)) {
    if (typeof part.Regex === 'string' && !isSafePattern(part.Regex)) {
      throw fault('unsafe-tokenizer', `${quote(path)} has the pattern ${quote(part.Regex)}`);
    }
    for (const value of Object.values(part)) checkPatterns(value, path);
  }
}
