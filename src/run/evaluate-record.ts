/**
 * The file of an evaluation: a first line that says what was asked of whom, then one line per answer, appended batch by
 * batch. A run that was killed goes on behind the last whole line. Texts are kept, so answers are extracted and scored
 * anew each time: another rule needs no GPU.
 */
import { existsSync } from 'node:fs';
import { dirname } from 'node:path';
import { z } from 'zod';
import { realFiles, replaceFile, systemCode } from '../host/files.ts';
import { decodeUtf8, readSmallFile } from '../model/files.ts';
import { fault } from '../report/fault.ts';
import { RunLog } from './log.ts';

/** All that decides the texts. */
const askedSchema = z.strictObject({
  protocol: z.string(),
  prompt: z.string(),
  maxTokens: z.int(),
  decoding: z.literal('greedy'),
  /** sha256 of the test file; of the model's configuration, headers and storage; of the adapter's spaces and numbers. */
  data: z.string(),
  model: z.string(),
  adapter: z.string().nullable(),
});
export type Asked = z.infer<typeof askedSchema>;

const headSchema = askedSchema.extend({
  type: z.literal('evaluation'),
  rule: z.string(),
  scoring: z.string(),
  /** How the published numbers were decoded. */
  published: z.string(),
});

const answerSchema = z.strictObject({
  type: z.literal('answer'),
  /** 0-based place in the test set, and the line of its file. */
  index: z.int().min(0),
  line: z.int(),
  prompt: z.string(),
  output: z.string(),
  /** null: the rule found none. */
  extracted: z.string().nullable(),
  gold: z.string(),
  correct: z.boolean(),
});
export type RecordedAnswer = Omit<z.infer<typeof answerSchema>, 'type'>;

export type Head = Omit<z.infer<typeof headSchema>, 'type'>;

/** Names of `Asked`, for people. */
const WORDS: Record<keyof Asked, string> = {
  protocol: 'the protocol',
  prompt: 'the prompt',
  maxTokens: 'the longest answer',
  decoding: 'the decoding',
  data: 'the test file',
  model: 'the base model',
  adapter: 'the adapter',
};

const LARGEST = 2 ** 31;

/**
 * Answers of an earlier run; none if there is no file. A line that is not whole, and what follows it, is as if
 * it had never been written. Fault: `evaluation-mismatch` if the file is of another evaluation.
 */
export function readAnswers(path: string, asked: Asked): RecordedAnswer[] {
  const answers: RecordedAnswer[] = [];
  if (!existsSync(path)) return answers;
  const bytes = readSmallFile(path, LARGEST);
  const lines = (decodeUtf8(bytes.subarray(0, bytes.lastIndexOf(10) + 1)) ?? '').split('\n');
  const head = parse(headSchema, lines[0]);
  if (!head)
    throw fault('evaluation-mismatch', `\`${path}\` is not the record of an evaluation; it is left alone`);
  const keys = Object.keys(WORDS) as (keyof Asked)[];
  const changed = keys.filter(key => head[key] !== asked[key]).map(key => WORDS[key]);
  if (changed.length > 0)
    throw fault(
      'evaluation-mismatch',
      `\`${path}\` holds the answers of another evaluation: ${changed.join(', ')} changed since`,
    );
  for (const line of lines.slice(1)) {
    const answer = parse(answerSchema, line);
    if (!answer) break;
    const { type: _, ...fields } = answer;
    answers.push(fields);
  }
  return answers;
}

function parse<T>(schema: z.ZodType<T>, line: string): T | undefined {
  try {
    return schema.parse(JSON.parse(line));
  } catch {
    return undefined;
  }
}

/**
 * Writes head and answers in one step, so that a crash leaves either the old file or this one. The caller appends to what
 * it returns, and closes it.
 */
export function beginRecord(path: string, head: Head, answers: Iterable<RecordedAnswer>): RunLog {
  const lines = [{ type: 'evaluation', ...head }, ...Array.from(answers, a => ({ type: 'answer', ...a }))];
  const bytes = new TextEncoder().encode(lines.map(line => `${JSON.stringify(line)}\n`).join(''));
  try {
    realFiles.makeFolder(dirname(path));
    replaceFile(realFiles, path, [bytes]);
  } catch (error) {
    const code = systemCode(error);
    if (code === undefined) throw error;
    throw fault('unwritable-file', `\`${path}\` cannot be written (${code})`);
  }
  return new RunLog(path, bytes.length);
}
