/**
 * Text of a data file → the JSON text of each record with the number of the line it starts on. JSON Lines are read in
 * chunks; a JSON array is cut at its commas by a scan that knows strings and nesting, so that a broken record has a line
 * too. Lengths, nesting and encoding are checked before anything is parsed. A byte order mark and CRLF are fine.
 */
import { closeSync } from 'node:fs';
import { decodeUtf8, nestingDepth, openForReading, quote, readFully, readSmallFile } from '../model/files.ts';
import { fault } from '../report/fault.ts';

export const LONGEST_LINE = 16 * 2 ** 20;
const LARGEST_ARRAY = 256 * 2 ** 20;
const DEEPEST = 64;
const CHUNK = 2 ** 20;

export interface RecordText {
  text: string;
  /** 1-based. */
  line: number;
  /** The file ends directly after this text, without a line break: if it does not parse, it was cut off. */
  atEnd: boolean;
}

/** Called with every chunk of bytes read, in order; for hashing. */
export type Watch = (bytes: Uint8Array) => void;

/** Records of a JSON Lines file, or of a JSON file that is one array. Faults: `bad-data` with the line, `no-data`. */
export function* readRecordTexts(path: string, watch: Watch = () => {}): Generator<RecordText> {
  if (startsWithBracket(path)) yield* readArray(path, watch);
  else yield* readLines(path, watch);
}

function startsWithBracket(path: string): boolean {
  const { handle, size } = openForReading(path);
  try {
    if (size === 0) throw fault('no-data', `${quote(path)} is empty`);
    const head = new Uint8Array(Math.min(size, 4096));
    readFully(handle, head, 0, path);
    const start = head[0] === 0xef && head[1] === 0xbb && head[2] === 0xbf ? 3 : 0;
    const first = head.subarray(start).find(byte => byte !== 32 && byte !== 9 && byte !== 10 && byte !== 13);
    return first === 0x5b;
  } finally {
    closeSync(handle);
  }
}

function* readLines(path: string, watch: Watch): Generator<RecordText> {
  const { handle, size } = openForReading(path);
  try {
    let line = 1;
    let pending: Uint8Array[] = [];
    let pendingLength = 0;
    const take = (tail: Uint8Array, atEnd: boolean): RecordText | undefined => {
      const bytes = pendingLength === 0 ? tail : Buffer.concat([...pending, tail]);
      pending = [];
      pendingLength = 0;
      const text = decodeLine(bytes, path, line);
      return text.trim() === '' ? undefined : { text, line, atEnd };
    };
    for (let at = 0; at < size; at += CHUNK) {
      const chunk = new Uint8Array(Math.min(CHUNK, size - at));
      readFully(handle, chunk, at, path);
      watch(chunk);
      let start = 0;
      for (let end = chunk.indexOf(10); end >= 0; end = chunk.indexOf(10, start)) {
        checkLength(pendingLength + end - start, path, line);
        const record = take(chunk.subarray(start, end), false);
        if (record) yield record;
        line++;
        start = end + 1;
      }
      pending.push(chunk.subarray(start));
      pendingLength += chunk.length - start;
      checkLength(pendingLength, path, line);
    }
    const last = take(new Uint8Array(0), true);
    if (last) yield last;
  } finally {
    closeSync(handle);
  }
}

function checkLength(length: number, path: string, line: number): void {
  if (length > LONGEST_LINE) {
    throw fault('bad-data', `line ${line} of ${quote(path)} is longer than ${LONGEST_LINE / 2 ** 20} MiB`);
  }
}

function decodeLine(bytes: Uint8Array, path: string, line: number): string {
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

function* readArray(path: string, watch: Watch): Generator<RecordText> {
  const bytes = readSmallFile(path, LARGEST_ARRAY);
  watch(bytes);
  const text = decodeUtf8(bytes);
  if (text === undefined) throw fault('bad-data', `${quote(path)} is not valid UTF-8`);
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
