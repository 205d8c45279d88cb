/**
 * Safetensors files: a strict reader that loads the header alone and then only the ranges asked for, and a writer whose
 * bytes depend on nothing but the content. Numbers are little-endian in the file and on every machine WebGPU runs on.
 */

import { closeSync, lstatSync } from 'node:fs';
import { type Files, realFiles, replaceFile } from '../host/files.ts';
import { fault } from '../report/fault.ts';
import { isSystemError, openForReading, quote, readFully } from './files.ts';
import { convertToF32, encodeSafetensors, type TensorData } from './safetensors-bytes.ts';
import { DTYPE_BYTES, MAX_HEADER_BYTES, parseHeader, type TensorInfo } from './safetensors-header.ts';

export type { TensorData } from './safetensors-bytes.ts';
export type { Dtype, TensorInfo } from './safetensors-header.ts';

/** JavaScriptCore cannot hold a longer buffer; such a tensor has to be read in ranges. */
const MAX_BUFFER_BYTES = 2 ** 32 - 4096;
/** Bytes converted at a time, so that reading 16-bit weights does not need both copies at once. */
const CHUNK_BYTES = 16 * 2 ** 20;

/** Elements of a tensor in row-major order: `count` of them from `from`. Absent: all. */
export interface ElementRange {
  from: number;
  count: number;
}

export class SafetensorsFile {
  readonly path: string;
  /** Bytes. */
  readonly size: number;
  readonly tensors: ReadonlyMap<string, TensorInfo>;
  readonly metadata: ReadonlyMap<string, string>;
  /** The header as it is in the file, for fingerprints. */
  readonly headerBytes: Uint8Array;
  private handle: number | undefined;

  /** Use `openSafetensors`. */
  constructor(path: string) {
    const { handle, size } = openForReading(path);
    try {
      this.path = path;
      this.size = size;
      if (size < 8) throw fault('bad-safetensors', `${quote(path)} is too small to be a safetensors file`);
      const lengthBytes = new Uint8Array(8);
      readFully(handle, lengthBytes, 0, path);
      const length = new DataView(lengthBytes.buffer).getBigUint64(0, true);
      if (length > BigInt(MAX_HEADER_BYTES)) {
        throw fault(
          'bad-safetensors',
          `${quote(path)} claims a header of ${length} bytes; the format allows 100 MB`,
        );
      }
      if (length > BigInt(size - 8)) {
        throw fault(
          'bad-safetensors',
          `${quote(path)} is cut off: its header of ${length} bytes does not fit in it`,
        );
      }
      this.headerBytes = new Uint8Array(Number(length));
      readFully(handle, this.headerBytes, 8, path);
      const header = parseHeader(this.headerBytes, size, path);
      this.tensors = header.tensors;
      this.metadata = header.metadata;
      this.handle = handle;
    } catch (error) {
      closeSync(handle);
      throw error;
    }
  }

  /** Shape and type of a tensor; a fault if there is none of this name. */
  tensor(name: string): TensorInfo {
    const info = this.tensors.get(name);
    if (!info) throw fault('missing-tensor', `${quote(this.path)} has no tensor ${quote(name)}`);
    return info;
  }

  /** The bytes of a tensor as stored, in a fresh and therefore aligned buffer. */
  read(name: string, range?: ElementRange): Uint8Array {
    const info = this.tensor(name);
    const { from, count } = clampRange(name, info, range);
    const width = DTYPE_BYTES[info.dtype];
    const bytes = new Uint8Array(this.allocation(name, count * width));
    readFully(this.openHandle(), bytes, info.start + from * width, this.path);
    return bytes;
  }

  /** F32, F16, BF16 or F64 as f32 (F64 is rounded; F16 and BF16 are exact). Other types are a fault. */
  readF32(name: string, range?: ElementRange): Float32Array {
    const info = this.tensor(name);
    if (info.dtype === 'F32') return new Float32Array(this.read(name, range).buffer);
    const { from, count } = clampRange(name, info, range);
    const values = new Float32Array(this.allocation(name, count * 4) / 4);
    this.chunks(name, from, count, (bytes, at) => convertToF32(name, info.dtype, bytes, values, at));
    return values;
  }

  /** Any floating-point type as f64, exactly. */
  readF64(name: string, range?: ElementRange): Float64Array {
    const info = this.tensor(name);
    if (info.dtype === 'F64') return new Float64Array(this.read(name, range).buffer);
    return Float64Array.from(this.readF32(name, range));
  }

  /** Integers and booleans as numbers; a 64-bit value beyond ±2^53 is a fault. */
  readInts(name: string, range?: ElementRange): number[] {
    const { dtype } = this.tensor(name);
    const buffer = this.read(name, range).buffer as ArrayBuffer;
    switch (dtype) {
      case 'I64':
      case 'U64': {
        const wide: ArrayLike<bigint> =
          dtype === 'I64' ? new BigInt64Array(buffer) : new BigUint64Array(buffer);
        return Array.from(wide, value => {
          const number = Number(value);
          if (Number.isSafeInteger(number)) return number;
          throw fault(
            'bad-safetensors',
            `tensor ${quote(name)} in ${quote(this.path)} holds ${value}, beyond 2^53`,
          );
        });
      }
      case 'I32':
        return Array.from(new Int32Array(buffer));
      case 'U32':
        return Array.from(new Uint32Array(buffer));
      case 'I16':
        return Array.from(new Int16Array(buffer));
      case 'U16':
        return Array.from(new Uint16Array(buffer));
      case 'I8':
        return Array.from(new Int8Array(buffer));
      case 'U8':
      case 'BOOL':
        return Array.from(new Uint8Array(buffer));
      case 'F64':
      case 'F32':
      case 'F16':
      case 'BF16':
        throw fault(
          'unsupported-dtype',
          `tensor ${quote(name)} in ${quote(this.path)} is ${dtype}, not integers`,
        );
      default:
        return dtype satisfies never;
    }
  }

  /** Gives the file back; reading afterwards is a bug. May be called twice. */
  close(): void {
    if (this.handle === undefined) return;
    const handle = this.handle;
    this.handle = undefined;
    closeSync(handle);
  }

  [Symbol.dispose](): void {
    this.close();
  }

  private chunks(
    name: string,
    from: number,
    count: number,
    use: (bytes: Uint8Array, at: number) => void,
  ): void {
    const step = CHUNK_BYTES / 8;
    for (let at = 0; at < count; at += step) {
      use(this.read(name, { from: from + at, count: Math.min(step, count - at) }), at);
    }
  }

  private allocation(name: string, bytes: number): number {
    if (bytes <= MAX_BUFFER_BYTES) return bytes;
    throw fault(
      'file-too-large',
      `tensor ${quote(name)} in ${quote(this.path)} needs ${bytes} bytes in one piece`,
    );
  }

  private openHandle(): number {
    if (this.handle === undefined) throw new Error(`${this.path} was closed before a read`);
    return this.handle;
  }
}

/** Opens a file and checks its whole header; no tensor is read yet. The caller closes it. */
export function openSafetensors(path: string): SafetensorsFile {
  return new SafetensorsFile(path);
}

function clampRange(name: string, info: TensorInfo, range?: ElementRange): ElementRange {
  const total = (info.end - info.start) / DTYPE_BYTES[info.dtype];
  if (!range) return { from: 0, count: total };
  if (range.from < 0 || range.count < 0 || range.from + range.count > total) {
    throw new Error(`range ${range.from}+${range.count} outside tensor ${name} of ${total} elements`);
  }
  return range;
}

/**
 * Writes a file that is either absent, the old one or complete: a new name beside the target, fsync, rename. Equal content
 * gives equal bytes. Mode 0600. A target that is a link or a folder, and any system error, is a fault; the old file stays.
 */
export function writeSafetensors(
  path: string,
  tensors: ReadonlyMap<string, TensorData>,
  metadata: Record<string, string> = {},
  files: Files = realFiles,
): void {
  const existing = lstatSync(path, { throwIfNoEntry: false });
  if (existing && !existing.isFile()) {
    throw fault('unsafe-path', `${quote(path)} is a link or a folder; it is not written through`);
  }
  const parts = encodeSafetensors(tensors, metadata);
  try {
    replaceFile(files, path, parts);
  } catch (error) {
    if (!isSystemError(error)) throw error;
    throw fault('unwritable-file', `${quote(path)} cannot be written (${error.code})`);
  }
}
