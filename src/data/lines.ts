/**
 * Data files → the JSON text of each record. JSON Lines are read in chunks. Lengths, nesting and encoding are checked before
 * anything is parsed. A byte order mark and CRLF are fine.
 */
import { closeSync } from 'node:fs';
import { decodeUtf8, openForReading, quote, readFully, readSmallFile } from '../model/files.ts';
import { fault } from '../report/fault.ts';
import { checkLength, decodeLine, type RecordText, recordsOfArray } from './record-texts.ts';

export { LONGEST_LINE, type RecordText } from './record-texts.ts';

const LARGEST_ARRAY = 256 * 2 ** 20;
const CHUNK = 2 ** 20;

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

function* readArray(path: string, watch: Watch): Generator<RecordText> {
  const bytes = readSmallFile(path, LARGEST_ARRAY);
  watch(bytes);
  const text = decodeUtf8(bytes);
  if (text === undefined) throw fault('bad-data', `${quote(path)} is not valid UTF-8`);
  yield* recordsOfArray(text, path);
}
