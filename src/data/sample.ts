/**
 * Records → token ids and labels. The text of a whole conversation is tokenised once, as the model would see it anywhere
 * else; where the loss acts is found by rendering and tokenising the prefixes that end before and after each answer.
 * An answer is the assistant's content with the special token that ends its turn; the header before it is not part of it.
 */

import type { Message } from '../model/chat.ts';
import { quote } from '../model/text.ts';
import type { Tokenizer } from '../model/tokenizer.ts';
import { fault } from '../report/fault.ts';
import { IGNORED, type Sample } from './labels.ts';
import type { DataRecord } from './records.ts';
import { extractAnswer } from './score.ts';

/** Half-open range of characters. */
interface TextSpan {
  start: number;
  end: number;
}

/** Tokens and labels of a record, cut to at most `length` tokens. Fault: `bad-chat-template`, or the tokenizer's. */
export function makeSample(
  record: DataRecord,
  tokenizer: Tokenizer,
  loss: 'response' | 'all',
  length: number,
): Sample {
  const text = fullText(record, tokenizer);
  const all = tokenizer.encode(text);
  const ids = Int32Array.from(all.slice(0, length));
  const labels = new Int32Array(ids.length).fill(IGNORED);
  let mergedBoundaries = 0;
  if (loss === 'all') labels.set(ids);
  else {
    for (const span of answerSpans(record, text, tokenizer)) {
      const start = tokensBefore(text, span.start, all, tokenizer);
      const end = tokensBefore(text, span.end, all, tokenizer);
      if (!start.exact || !end.exact) mergedBoundaries++;
      // A token that straddles the end is kept: it holds the last of the answer.
      const stop = Math.min(end.count + (end.exact ? 0 : 1), labels.length);
      for (let t = start.count; t < stop; t++) labels[t] = ids[t]!;
    }
  }
  return { ids, labels, truncated: all.length > length, mergedBoundaries };
}

/** How many tokens of the whole text lie entirely before character `at`; not exact if one straddles it. */
function tokensBefore(
  text: string,
  at: number,
  all: number[],
  tokenizer: Tokenizer,
): { count: number; exact: boolean } {
  if (at >= text.length) return { count: all.length, exact: true };
  const prefix = tokenizer.encode(text.slice(0, at));
  let count = 0;
  while (count < prefix.length && prefix[count] === all[count]) count++;
  return { count, exact: count === prefix.length };
}

function fullText(record: DataRecord, tokenizer: Tokenizer): string {
  if (record.kind === 'chat') return tokenizer.render(record.messages, false);
  return tokenizer.bosText + record.prompt + record.completion + tokenizer.eosText;
}

function answerSpans(record: DataRecord, text: string, tokenizer: Tokenizer): TextSpan[] {
  if (record.kind === 'text') {
    return [{ start: tokenizer.bosText.length + record.prompt.length, end: text.length }];
  }
  const spans: TextSpan[] = [];
  for (const [i, message] of record.messages.entries()) {
    if (message.role === 'assistant')
      spans.push(answerSpan(record, record.messages.slice(0, i), message, text, tokenizer));
  }
  return spans;
}

/**
 * An answer starts where the prompt that generation would see ends. Its end is found by its content, since some templates
 * render a conversation differently once it goes on (Qwen3 drops the reasoning of earlier turns).
 */
function answerSpan(
  record: DataRecord,
  before: Message[],
  message: Message,
  text: string,
  tokenizer: Tokenizer,
): TextSpan {
  const prompt = tokenizer.render(before, true);
  const content = [message.content, message.content.trim()].find(c => text.indexOf(c, prompt.length) >= 0);
  if (!text.startsWith(prompt) || content === undefined) {
    throw fault(
      'bad-chat-template',
      `line ${record.place.line} of ${quote(record.place.file)}: the answers cannot be told apart from the prompts, ` +
        'because the chat template renders a conversation differently from its beginning',
      { help: 'use `loss: all`, or data in the `completion` format' },
    );
  }
  const end = text.indexOf(content, prompt.length) + content.length;
  return { start: prompt.length, end: end + endOfTurnLength(text, end, tokenizer) };
}

/** Length of the special token at `at`; white space before it counts if the token is one that ends generation. */
function endOfTurnLength(text: string, at: number, tokenizer: Tokenizer): number {
  const direct = tokenizer.specialAt(text, at);
  if (direct) return direct.length;
  const space = /^\s*/.exec(text.slice(at, at + 16))![0].length;
  const later = tokenizer.specialAt(text, at + space);
  const id = later === undefined ? undefined : tokenizer.idOf(later);
  return later !== undefined && id !== undefined && tokenizer.eos.includes(id) ? space + later.length : 0;
}

/** What an evaluation needs of a record. */
export interface EvalItem {
  /** Token ids to generate from. */
  prompt: Int32Array;
  promptText: string;
  /** The reference: the record's `answer`, or what is extracted from its last response. */
  answer: string;
  line: number;
}

/** The prompt as generation sees it (everything before the last answer) and the reference answer. */
export function makeEvalItem(record: DataRecord, tokenizer: Tokenizer): EvalItem {
  let promptText: string;
  let response: string;
  if (record.kind === 'text') {
    promptText = tokenizer.bosText + record.prompt;
    response = record.completion;
  } else {
    const last = record.messages.findLastIndex(message => message.role === 'assistant');
    promptText = tokenizer.render(record.messages.slice(0, last), true);
    response = record.messages[last]!.content;
  }
  return {
    prompt: Int32Array.from(tokenizer.encode(promptText)),
    promptText,
    answer: record.answer ?? extractAnswer(response),
    line: record.place.line,
  };
}
