/**
 * Test sets of published evaluations → questions and the fields that hold their references. The files are those people
 * have: {instruction, input, answer} of LLM-Adapters, {problem, answer} of MATH500, {question, answer} of GSM8K,
 * {original_text, ans} of MAWPS; JSON Lines or one JSON list.
 */
import { createHash } from 'node:crypto';
import { quote } from '../model/files.ts';
import { fault } from '../report/fault.ts';
import { readRecordTexts } from './lines.ts';
import { bad, checkedText, parseRecord } from './records.ts';

const QUESTION = ['instruction', 'problem', 'question', 'original_text'];
const REFERENCE = ['answer', 'ans'];

export interface TestItem {
  /** 1-based line on which the record starts. */
  line: number;
  question: string;
  input: string;
  /** The reference as `gold` reads it. */
  gold: string;
}

export interface TestSet {
  items: TestItem[];
  /** sha256 (hex) of the file. */
  hash: string;
}

/**
 * Reads a test set.
 * @param gold the reference out of its field, undefined if it cannot be one
 * Faults: `bad-data` naming file and line, `unknown-data-format`, `no-data`.
 */
export function readTestSet(path: string, gold: (field: string) => string | undefined): TestSet {
  const hash = createHash('sha256');
  const items: TestItem[] = [];
  for (const text of readRecordTexts(path, bytes => hash.update(bytes))) {
    const place = { file: path, line: text.line };
    const fields = parseRecord(text, place);
    const [question, answer] = [QUESTION, REFERENCE].map(keys => keys.find(key => fields[key] != null));
    if (!question || !answer)
      throw fault(
        'unknown-data-format',
        `line ${text.line} of ${quote(path)}: a record of a test set needs one of ${QUESTION.join(', ')} and one of ${REFERENCE.join(', ')}`,
        { help: 'give the test file as LLM-Adapters, MATH500, GSM8K or MAWPS publish it' },
      );
    const field = fields[answer];
    const written = typeof field === 'number' ? String(field) : checkedText(field, `\`${answer}\``, place);
    const reference = gold(written);
    if (reference === undefined)
      throw bad(
        place,
        `${quote(written.slice(-40))} is no answer of this protocol; is it the file of another one?`,
      );
    items.push({
      line: text.line,
      question: checkedText(fields[question], `\`${question}\``, place),
      input: checkedText(fields.input ?? '', '`input`', place),
      gold: reference,
    });
  }
  if (items.length === 0) throw fault('no-data', `${quote(path)} has no records`);
  return { items, hash: hash.digest('hex') };
}
