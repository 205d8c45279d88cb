/**
 * One record of a data file. Three families are understood: alpaca {instruction, input?, output}, conversations
 * {messages: [{role, content}]} (or ShareGPT's {conversations: [{from, value}]}), and {prompt, completion}. Each may have an
 * `answer` for evaluation. The format is told from the first record of a file and then holds for all of it.
 */
import type { DataFormat } from '../../dsl/program.ts';
import type { Message } from '../model/chat.ts';
import { hasPrototypeKey } from '../model/json.ts';
import { isWellFormed, quote } from '../model/text.ts';
import { fault } from '../report/fault.ts';
import type { RecordText } from './record-texts.ts';

export type RecordFormat = Exclude<DataFormat, 'auto'>;

export interface Place {
  file: string;
  /** 1-based line on which the record starts. */
  line: number;
}

/** A conversation that ends with an assistant's message, or raw text in two parts. */
export type DataRecord = { place: Place; answer?: string } & (
  | { kind: 'chat'; messages: Message[] }
  | { kind: 'text'; prompt: string; completion: string }
);

/** Records of one file in order, and what format they have. Fault: `no-data` if there are none. */
export function recordsOf(
  texts: Iterable<RecordText>,
  file: string,
  wanted: DataFormat,
): { records: DataRecord[]; format: RecordFormat } {
  const records: DataRecord[] = [];
  let format = wanted === 'auto' ? undefined : wanted;
  for (const text of texts) {
    const place = { file, line: text.line };
    const fields = parseRecord(text, place);
    format ??= detectFormat(fields, place);
    records.push(toRecord(fields, format, place));
  }
  if (format === undefined || records.length === 0) throw fault('no-data', `${quote(file)} has no records`);
  return { records, format };
}

type Fields = Record<string, unknown>;

export function bad(place: Place, message: string): Error {
  return fault('bad-data', `line ${place.line} of ${quote(place.file)}: ${message}`);
}

export function parseRecord(text: RecordText, place: Place): Fields {
  let value: unknown;
  try {
    value = JSON.parse(text.text);
  } catch {
    throw bad(
      place,
      text.atEnd ? 'the file ends inside a record; it seems to be cut off' : 'this is not valid JSON',
    );
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw bad(place, 'a record has to be an object');
  }
  if (hasPrototypeKey(value)) throw bad(place, 'a record has a key `__proto__`');
  return value as Fields;
}

function detectFormat(fields: Fields, place: Place): RecordFormat {
  if (Array.isArray(fields.messages) || Array.isArray(fields.conversations)) return 'messages';
  if ('instruction' in fields && 'output' in fields) return 'alpaca';
  if ('prompt' in fields && 'completion' in fields) return 'completion';
  const keys = Object.keys(fields).slice(0, 8).map(quote).join(', ');
  throw fault(
    'unknown-data-format',
    `line ${place.line} of ${quote(place.file)}: the format of a record with the keys ${keys || '(none)'} is not known`,
  );
}

function toRecord(fields: Fields, format: RecordFormat, place: Place): DataRecord {
  const answer = answerOf(fields, place);
  switch (format) {
    case 'alpaca':
      return { kind: 'chat', place, answer, messages: alpacaMessages(fields, place) };
    case 'messages':
      return { kind: 'chat', place, answer, messages: conversation(fields, place) };
    case 'completion':
      return {
        kind: 'text',
        place,
        answer,
        prompt: requiredText(fields, 'prompt', place),
        completion: requiredText(fields, 'completion', place),
      };
    default:
      return format satisfies never;
  }
}

/** Instruction and input become one user message; `history` is LLaMA-Factory's list of earlier [question, answer]. */
function alpacaMessages(fields: Fields, place: Place): Message[] {
  const messages: Message[] = [];
  const system = optionalText(fields, 'system', place);
  if (system) messages.push({ role: 'system', content: system });
  const history = fields.history ?? [];
  if (!Array.isArray(history)) throw bad(place, '`history` has to be a list');
  for (const turn of history) {
    if (!Array.isArray(turn) || turn.length !== 2) throw bad(place, '`history` has to hold pairs of texts');
    messages.push({ role: 'user', content: checkedText(turn[0], '`history`', place) });
    messages.push({ role: 'assistant', content: checkedText(turn[1], '`history`', place) });
  }
  const input = optionalText(fields, 'input', place);
  const instruction = requiredText(fields, 'instruction', place);
  messages.push({ role: 'user', content: input ? `${instruction}\n\n${input}` : instruction });
  messages.push({ role: 'assistant', content: requiredText(fields, 'output', place) });
  return messages;
}

const ROLES = new Map<unknown, Message['role']>([
  ['system', 'system'],
  ['user', 'user'],
  ['human', 'user'],
  ['assistant', 'assistant'],
  ['gpt', 'assistant'],
]);

function conversation(fields: Fields, place: Place): Message[] {
  const list = fields.messages ?? fields.conversations;
  if (!Array.isArray(list) || list.length === 0)
    throw bad(place, '`messages` has to be a list that is not empty');
  const messages = list.map((entry: unknown): Message => {
    const { role, from, content, value } = (
      typeof entry === 'object' && entry !== null ? entry : {}
    ) as Fields;
    const known = ROLES.get(role ?? from);
    if (!known) throw bad(place, 'a message needs the role system, user or assistant');
    return { role: known, content: checkedText(content ?? value, 'the content of a message', place) };
  });
  if (!messages.some(message => message.role === 'assistant'))
    throw bad(place, 'there is no assistant message');
  return messages;
}

function answerOf(fields: Fields, place: Place): string | undefined {
  const { answer } = fields;
  if (answer === undefined || answer === null) return undefined;
  if (typeof answer === 'number' || typeof answer === 'boolean') return String(answer);
  return checkedText(answer, '`answer`', place);
}

function requiredText(fields: Fields, key: string, place: Place): string {
  return checkedText(fields[key], `\`${key}\``, place);
}

function optionalText(fields: Fields, key: string, place: Place): string | undefined {
  return fields[key] == null ? undefined : requiredText(fields, key, place);
}

export function checkedText(value: unknown, what: string, place: Place): string {
  if (typeof value !== 'string') {
    throw bad(place, value === undefined ? `${what} is missing` : `${what} has to be a text`);
  }
  if (!isWellFormed(value)) throw bad(place, `${what} has half a surrogate pair`);
  return value;
}
