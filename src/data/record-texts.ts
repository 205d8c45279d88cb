/**
 * Text of a data file → the JSON text of each record with the number of the line it starts on. A JSON array is cut at its
 * commas by a scan that knows strings and nesting, so that a broken record has a line too.
 */
import { nestingDepth } from '../model/json.ts';
import { decodeUtf8, quote } from '../model/text.ts';
import { fault } from '../report/fault.ts';

export const LONGEST_LINE = 16 * 2 ** 20;
const DEEPEST = 64;

export interface RecordText {
  text: string;
  /** 1-based. */
  line: number;
  /** The file ends directly after this text, without a line break: if it does not parse, it was cut off. */
  atEnd: boolean;
}

/** Records of a whole text: of a list, or one on each line. Faults: `bad-data` with the line, `no-data`. */
export function* recordTexts(text: string, path: string): Generator<RecordText> {
  if (text.trim() === '') throw fault('no-data', `${quote(path)} is empty`);
  if (text.trimStart().startsWith('[')) return yield* recordsOfArray(text, path);
  const lines = text.split('\n');
  for (const [i, line] of lines.entries()) {
    checkLength(line.length, path, i + 1);
    checkDepth(line, path, i + 1);
    if (line.trim() !== '') yield { text: line, line: i + 1, atEnd: i === lines.length - 1 };
  }
}

export function checkLength(length: number, path: string, line: number): void {
  if (length > LONGEST_LINE) {
    throw fault('bad-data', `line ${line} of ${quote(path)} is longer than ${LONGEST_LINE / 2 ** 20} MiB`);
  }
}

export function decodeLine(bytes: Uint8Array, path: string, line: number): string {
  const text = decodeUtf8(bytes, line > 1);
  if (text === undefined) throw fault('bad-data', `line ${line} of ${quote(path)} is not valid UTF-8`);
  checkDepth(text, path, line);
  return text;
}

function checkDepth(text: string, path: string, line: number): void {
  if (nestingDepth(text, DEEPEST) > DEEPEST) {
    throw fault('bad-data', `line ${line} of ${quote(path)} nests deeper than ${DEEPEST} levels`);
  }
}

export function* recordsOfArray(text: string, path: string): Generator<RecordText> {
  let line = 1;
  let depth = 0;
  let start = -1;
  let startLine = 1;
  let inString = false;
  let closed = false;
  let separated = true;
  const bad = (message: string) => fault('bad-data', `line ${line} of ${quote(path)}: ${message}`);
  for (let i = 0; i < text.length; i++) {
    const c = text[i]!;
    if (c === '\n') line++;
    if (inString) {
      if (c === '\\') i++;
      else if (c === '"') inString = false;
      continue;
    }
    if (c === ' ' || c === '\t' || c === '\r' || c === '\n') continue;
    if (closed) throw bad('there is text after the end of the list');
    if (depth === 1 && c !== ',' && c !== ']') {
      if (c !== '{') throw bad('a record has to be an object');
      if (!separated) throw bad('a comma is missing between two records');
      separated = false;
      start = i;
      startLine = line;
    }
    if (c === '"') inString = true;
    else if (c === '{' || c === '[') {
      if (++depth > DEEPEST) throw bad(`nests deeper than ${DEEPEST} levels`);
    } else if (c === '}' || c === ']') {
      depth--;
      if (depth === 1 && start >= 0) {
        yield { text: text.slice(start, i + 1), line: startLine, atEnd: false };
        start = -1;
      }
      closed = depth === 0;
    } else if (c === ',' && depth === 1) {
      if (separated) throw bad('a record is missing before this comma');
      separated = true;
    }
  }
  if (!closed) throw bad('the file ends inside the list; it seems to be cut off');
}
