/**
 * The header of a safetensors file, read strictly. `JSON.parse` is not enough: it keeps the last of two equal keys, reads
 * 1.0 and 1e3 as integers and puts names on objects. So the text is scanned by hand, names live in a Map, and the layout is
 * checked as a whole: every byte after the header belongs to exactly one tensor.
 */
import { fault } from '../report/portable.ts';
import { decodeUtf8, isWellFormed, quote } from './text.ts';

/** Bytes per element of the types that can be read. */
export const DTYPE_BYTES = {
  F64: 8,
  I64: 8,
  U64: 8,
  F32: 4,
  I32: 4,
  U32: 4,
  F16: 2,
  BF16: 2,
  I16: 2,
  U16: 2,
  I8: 1,
  U8: 1,
  BOOL: 1,
} as const;

export type Dtype = keyof typeof DTYPE_BYTES;

export interface TensorInfo {
  dtype: Dtype;
  shape: number[];
  /** Byte range in the file (not in the data section), `end` exclusive. */
  start: number;
  end: number;
}

export interface Header {
  tensors: Map<string, TensorInfo>;
  metadata: Map<string, string>;
}

/** The format allows no more; a longer header is an attack or not a safetensors file. */
export const MAX_HEADER_BYTES = 100_000_000;

/**
 * Checks and reads a header.
 * @param bytes the header alone, without its 8-byte length
 * @param fileSize whole file, bytes
 * @param path for messages
 */
export function parseHeader(bytes: Uint8Array, fileSize: number, path: string): Header {
  const text = decodeUtf8(bytes, true);
  if (text === undefined) throw fault('bad-safetensors', `the header of ${quote(path)} is not valid UTF-8`);
  const header = new HeaderScanner(text, path).read();
  const dataStart = 8 + bytes.length;
  for (const [name, info] of header.tensors) {
    checkSize(name, info, path);
    info.start += dataStart;
    info.end += dataStart;
  }
  checkLayout(header.tensors, dataStart, fileSize, path);
  return header;
}

/** Number of elements; a product beyond 2^53 is a fault. */
export function elementCount(shape: number[]): number | undefined {
  let count = 1;
  for (const dimension of shape) {
    count *= dimension;
    if (!Number.isSafeInteger(count)) return undefined;
  }
  return count;
}

function checkSize(name: string, info: TensorInfo, path: string): void {
  const count = elementCount(info.shape);
  const bytes = count === undefined ? undefined : count * DTYPE_BYTES[info.dtype];
  if (bytes === undefined || !Number.isSafeInteger(bytes)) {
    throw fault('bad-safetensors', `tensor ${quote(name)} in ${quote(path)} has an impossibly large shape`);
  }
  if (info.end < info.start) {
    throw fault('bad-safetensors', `tensor ${quote(name)} in ${quote(path)} ends before it starts`);
  }
  if (info.end - info.start !== bytes) {
    throw fault(
      'bad-safetensors',
      `tensor ${quote(name)} in ${quote(path)} is ${info.dtype} [${info.shape.join(', ')}], ${bytes} bytes, ` +
        `but ${info.end - info.start} bytes are set aside for it`,
    );
  }
}

function checkLayout(
  tensors: Map<string, TensorInfo>,
  dataStart: number,
  fileSize: number,
  path: string,
): void {
  const ordered = [...tensors].sort(([, a], [, b]) => a.start - b.start || a.end - b.end);
  let position = dataStart;
  for (const [name, info] of ordered) {
    if (info.start !== position) {
      const what = info.start > position ? 'a hole before' : 'an overlap at';
      throw fault('bad-safetensors', `${quote(path)} has ${what} tensor ${quote(name)}`);
    }
    position = info.end;
  }
  if (position !== fileSize) {
    throw fault(
      'bad-safetensors',
      position > fileSize
        ? `${quote(path)} is cut off: ${fileSize} bytes, its header describes ${position}`
        : `${quote(path)} has ${fileSize - position} bytes that belong to no tensor`,
    );
  }
}

const INTEGER = /(?:0|[1-9][0-9]*)(?![0-9.eE])/y;
class HeaderScanner {
  private at = 0;
  private readonly text: string;
  private readonly path: string;

  constructor(text: string, path: string) {
    this.text = text;
    this.path = path;
  }

  read(): Header {
    const tensors = new Map<string, TensorInfo>();
    let metadata: Map<string, string> | undefined;
    this.object(name => {
      if (name === '__metadata__') {
        if (metadata) this.fail('`__metadata__` appears twice');
        metadata = this.metadata();
        return;
      }
      if (name.includes('\0')) this.fail(`the name ${quote(name)} contains a NUL`);
      if (tensors.has(name)) this.fail(`tensor ${quote(name)} appears twice`);
      tensors.set(name, this.tensor(name));
    });
    this.space();
    if (this.at !== this.text.length) this.fail('there is text after the closing brace');
    return { tensors, metadata: metadata ?? new Map() };
  }

  private metadata(): Map<string, string> {
    const result = new Map<string, string>();
    this.object(key => {
      if (result.has(key)) this.fail(`metadata key ${quote(key)} appears twice`);
      result.set(key, this.string('a metadata value'));
    });
    return result;
  }

  private tensor(name: string): TensorInfo {
    let dtype: string | undefined;
    let shape: number[] | undefined;
    let offsets: number[] | undefined;
    this.object(key => {
      if (key === 'dtype' && dtype === undefined) dtype = this.string(`the dtype of ${quote(name)}`);
      else if (key === 'shape' && shape === undefined) shape = this.integers(name);
      else if (key === 'data_offsets' && offsets === undefined) offsets = this.integers(name);
      else this.fail(`tensor ${quote(name)} has an unexpected or repeated key ${quote(key)}`);
    });
    if (dtype === undefined || shape === undefined || offsets === undefined) {
      return this.fail(`tensor ${quote(name)} lacks dtype, shape or data_offsets`);
    }
    if (offsets.length !== 2) this.fail(`tensor ${quote(name)} needs exactly two offsets`);
    if (!Object.hasOwn(DTYPE_BYTES, dtype)) {
      throw fault(
        'unsupported-dtype',
        `tensor ${quote(name)} in ${quote(this.path)} has the element type ${quote(dtype)}, which is not supported`,
      );
    }
    return { dtype: dtype as Dtype, shape, start: offsets[0]!, end: offsets[1]! };
  }

  private object(entry: (key: string) => void): void {
    this.expect('{');
    if (this.accept('}')) return;
    do {
      const key = this.string('a key');
      this.expect(':');
      entry(key);
    } while (this.accept(','));
    this.expect('}');
  }

  private integers(name: string): number[] {
    const result: number[] = [];
    this.expect('[');
    if (this.accept(']')) return result;
    do {
      this.space();
      INTEGER.lastIndex = this.at;
      const match = INTEGER.exec(this.text);
      const value = match ? Number(match[0]) : Number.NaN;
      if (!match || !Number.isSafeInteger(value)) {
        this.fail(`shape and offsets of ${quote(name)} must be plain non-negative integers`);
      }
      this.at = INTEGER.lastIndex;
      result.push(value);
    } while (this.accept(','));
    this.expect(']');
    return result;
  }

  private string(what: string): string {
    this.space();
    if (this.text[this.at] !== '"') this.fail(`${what} must be a string`);
    let close = this.at + 1;
    while (close < this.text.length && this.text[close] !== '"') close += this.text[close] === '\\' ? 2 : 1;
    const literal = this.text.slice(this.at, close + 1);
    let value: string;
    try {
      value = JSON.parse(literal) as string;
    } catch {
      return this.fail(`${what} is not a valid JSON string`);
    }
    if (!isWellFormed(value)) this.fail(`${what} has half a surrogate pair`);
    this.at = close + 1;
    return value;
  }

  private space(): void {
    for (; ; this.at++) {
      const c = this.text.charCodeAt(this.at);
      if (c !== 32 && c !== 10 && c !== 13 && c !== 9) return;
    }
  }

  private accept(character: string): boolean {
    this.space();
    if (this.text[this.at] !== character) return false;
    this.at++;
    return true;
  }

  private expect(character: string): void {
    if (!this.accept(character)) this.fail(`\`${character}\` is missing`);
  }

  private fail(message: string): never {
    throw fault('bad-safetensors', `the header of ${quote(this.path)} is broken: ${message}`, {
      notes: [`at character ${this.at} of the header`],
    });
  }
}
