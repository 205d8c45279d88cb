/** Safetensors in memory: numbers of any floating-point type, a file's bytes read and written. No file system. */
import { fault } from '../report/portable.ts';
import { fromHalf } from '../runtime/float16.ts';
import {
  DTYPE_BYTES,
  type Dtype,
  elementCount,
  type Header,
  MAX_HEADER_BYTES,
  parseHeader,
} from './safetensors-header.ts';
import { quote } from './text.ts';

/** A whole file in memory. */
export class SafetensorsBytes {
  readonly tensors: Header['tensors'];
  private readonly bytes: Uint8Array;
  private readonly name: string;

  /** `name`: for messages. Faults: `bad-safetensors`, `unsupported-dtype`. */
  constructor(bytes: ArrayBuffer | Uint8Array, name = 'the file') {
    this.bytes = bytes instanceof Uint8Array ? bytes : new Uint8Array(bytes);
    this.name = name;
    const size = this.bytes.length;
    const { buffer, byteOffset } = this.bytes;
    const length = size < 8 ? 0 : Number(new DataView(buffer, byteOffset).getBigUint64(0, true));
    if (size < 8 || length > Math.min(size - 8, MAX_HEADER_BYTES))
      throw fault('bad-safetensors', `${quote(name)} is cut off, or no safetensors file`);
    this.tensors = parseHeader(this.bytes.subarray(8, 8 + length), size, name).tensors;
  }

  /** A tensor, or a range of its elements, as f32 in row-major order. */
  readF32(name: string, range?: { from: number; count: number }): Float32Array {
    const info = this.tensors.get(name);
    if (!info) throw fault('missing-tensor', `${quote(this.name)} has no tensor ${quote(name)}`);
    const width = DTYPE_BYTES[info.dtype];
    const from = info.start + (range?.from ?? 0) * width;
    const end = range ? from + range.count * width : info.end;
    if (from < info.start || end > info.end) throw new Error(`bug: a range outside of ${name}`);
    // a copy: tensors need not be aligned in the file
    const own = this.bytes.slice(from, end);
    const values = new Float32Array(own.length / width);
    convertToF32(name, info.dtype, own, values, 0);
    return values;
  }
}

/** Writes the numbers in `bytes`, which start a buffer of their own, to `into` from element `at`; F64 is rounded. */
export function convertToF32(
  name: string,
  dtype: Dtype,
  bytes: Uint8Array,
  into: Float32Array,
  at: number,
): void {
  const buffer = bytes.buffer as ArrayBuffer;
  switch (dtype) {
    case 'BF16': {
      // bfloat16 is the upper half of a float32.
      const source = new Uint16Array(buffer);
      const target = new Uint32Array(into.buffer, 4 * at, source.length);
      for (let i = 0; i < source.length; i++) target[i] = source[i]! << 16;
      return;
    }
    case 'F16': {
      const source = new Uint16Array(buffer);
      const table = halfTable();
      for (let i = 0; i < source.length; i++) into[at + i] = table[source[i]!]!;
      return;
    }
    case 'F32':
      into.set(new Float32Array(buffer), at);
      return;
    case 'F64':
      into.set(new Float64Array(buffer), at);
      return;
    default:
      throw fault(
        'unsupported-dtype',
        `tensor ${quote(name)} is ${dtype}; floating-point numbers are needed`,
      );
  }
}

let halves: Float32Array | undefined;

/** Value of every float16 bit pattern. A table, because 65,536 entries are quicker to look up than bits to take apart. */
function halfTable(): Float32Array {
  halves ??= Float32Array.from({ length: 65536 }, (_, bits) => fromHalf(bits));
  return halves;
}

export interface TensorData {
  dtype: Dtype;
  shape: number[];
  /** Exactly shape × dtype bytes. */
  data: Uint8Array | Float32Array | Float64Array | Int32Array | Uint32Array | Uint16Array;
}

/**
 * The bytes of a file, in pieces; equal content gives equal bytes. Order of the data: widest elements first (so that all
 * are aligned), then by name in code units.
 */
export function encodeSafetensors(
  tensors: ReadonlyMap<string, TensorData>,
  metadata: Record<string, string> = {},
): Uint8Array[] {
  for (const [name, { dtype, shape, data }] of tensors) {
    if (bytesOf(name, { dtype, shape }) !== data.byteLength)
      throw new Error(`tensor ${name}: ${dtype} [${shape}] does not have ${data.byteLength} bytes`);
  }
  const { header, order } = encodeHeader(tensors, metadata);
  return [
    header,
    ...order.map(name => {
      const { buffer, byteOffset, byteLength } = tensors.get(name)!.data;
      return new Uint8Array(buffer, byteOffset, byteLength);
    }),
  ];
}

function bytesOf(name: string, { dtype, shape }: Pick<TensorData, 'dtype' | 'shape'>): number {
  const bytes = (elementCount(shape) ?? Number.NaN) * DTYPE_BYTES[dtype];
  if (!Number.isSafeInteger(bytes)) throw new Error(`tensor ${name}: [${shape}] has no size`);
  return bytes;
}

/** What stands before the data, and the order in which the data of the tensors follow it. */
export function encodeHeader(
  tensors: ReadonlyMap<string, Pick<TensorData, 'dtype' | 'shape'>>,
  metadata: Record<string, string> = {},
): { header: Uint8Array; order: string[] } {
  const ordered = [...tensors].sort(
    ([a, x], [b, y]) => DTYPE_BYTES[y.dtype] - DTYPE_BYTES[x.dtype] || (a < b ? -1 : a > b ? 1 : 0),
  );
  const entries: string[] = [];
  const pairs = Object.entries(metadata).sort(([a], [b]) => (a < b ? -1 : 1));
  if (pairs.length > 0) {
    entries.push(
      `"__metadata__":{${pairs.map(([k, v]) => `${JSON.stringify(k)}:${JSON.stringify(v)}`).join(',')}}`,
    );
  }
  let position = 0;
  for (const [name, { dtype, shape }] of ordered) {
    if (name === '__metadata__' || name.includes('\0'))
      throw new Error(`tensor name ${JSON.stringify(name)} is reserved`);
    const end = position + bytesOf(name, { dtype, shape });
    entries.push(
      `${JSON.stringify(name)}:${JSON.stringify({ dtype, shape, data_offsets: [position, end] })}`,
    );
    position = end;
  }
  const text = new TextEncoder().encode(`{${entries.join(',')}}`);
  const header = new Uint8Array(8 + Math.ceil(text.length / 8) * 8).fill(32);
  new DataView(header.buffer).setBigUint64(0, BigInt(header.length - 8), true);
  header.set(text, 8);
  return { header, order: ordered.map(([name]) => name) };
}
