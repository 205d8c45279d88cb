/**
 * Frozen weights, f32 → the storage a plan asks for, a few rows at a time. Layouts: compiler/plan/storage.ts. Quantised
 * storages round each block of 64 columns on its own; a value that a storage cannot hold is counted, never clipped in
 * silence.
 */
import { BLOCK, rowWords, type Storage } from '../../compiler/plan/storage.ts';
import { fault } from '../report/portable.ts';
import { fromE4m3, fromHalf, toBfloat, toE4m3, toHalf } from './float16.ts';

/** Levels of NormalFloat: QLoRA, arXiv 2305.14314, appendix E. */
export const NF4_LEVELS = [
  -1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, -0.28444138169288635,
  -0.18477343022823334, -0.09105003625154495, 0.0, 0.07958029955625534, 0.16093020141124725,
  0.24611230194568634, 0.33791524171829224, 0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1.0,
] as const;
const NF4_MIDDLES = NF4_LEVELS.slice(1).map((level, i) => (level + NF4_LEVELS[i]) / 2);

/** What packing a tensor has done to its values, summed over its rows. */
export interface Losses {
  values: number;
  /** Beyond the largest finite number of the storage. */
  overflow: number;
  /** Not zero before, zero after. */
  flushed: number;
}

/** Share of a tensor that may become zero: checkpoints hold stray values near 1e-30, whose loss changes nothing. */
const FLUSHED_SHARE = 1e-3;

export const noLosses = (): Losses => ({ values: 0, overflow: 0, flushed: 0 });

/** Throws `weights-out-of-range` when a tensor does not survive its storage. */
export function checkLosses(tensor: string, storage: Storage, { values, overflow, flushed }: Losses): void {
  if (overflow > 0)
    throw fault(
      'weights-out-of-range',
      `${overflow} of the ${values} numbers of \`${tensor}\` are too large for ${storage}`,
    );
  if (flushed > FLUSHED_SHARE * values)
    throw fault(
      'weights-out-of-range',
      `${flushed} of the ${values} numbers of \`${tensor}\` are so small that ${storage} makes them zero`,
    );
}

/** Packs rows of `columns` values into rows of `rowWords(storage, ld)` words. */
export function packRows(
  storage: Storage,
  values: Float32Array,
  columns: number,
  ld: number,
  losses = noLosses(),
): Uint32Array<ArrayBuffer> {
  const rows = values.length / columns;
  const pitch = rowWords(storage, ld);
  const words = new Uint32Array(rows * pitch);
  losses.values += values.length;
  for (let r = 0; r < rows; r++)
    PACK[storage](
      values.subarray(r * columns, (r + 1) * columns),
      words.subarray(r * pitch, (r + 1) * pitch),
      ld,
      losses,
    );
  return words;
}

/** The inverse, as the kernels compute it: rows of `columns` values. */
export function unpackRows(
  storage: Storage,
  words: Uint32Array,
  columns: number,
  ld: number,
): Float32Array<ArrayBuffer> {
  const pitch = rowWords(storage, ld);
  const rows = words.length / pitch;
  const values = new Float32Array(rows * columns);
  for (let r = 0; r < rows; r++) {
    const at = UNPACK[storage](words.subarray(r * pitch, (r + 1) * pitch), ld);
    for (let c = 0; c < columns; c++) values[r * columns + c] = at(c);
  }
  return values;
}

/** Whether all scales are numbers: a damaged one would make NaNs of its whole block. */
export function scalesAreFinite(storage: Storage, words: Uint32Array, columns: number, ld: number): boolean {
  const pitch = rowWords(storage, ld);
  for (let row = 0; row < words.length; row += pitch) {
    const at = UNPACK[storage](words.subarray(row, row + pitch), ld);
    for (let c = 0; c < columns; c += BLOCK) if (!Number.isFinite(at(c))) return false;
  }
  return true;
}

type PackRow = (row: Float32Array, into: Uint32Array, ld: number, losses: Losses) => void;

const PACK: Record<Storage, PackRow> = {
  f32: (row, into) => new Float32Array(into.buffer, into.byteOffset, into.length).set(row),
  bf16: (row, into, _, losses) => {
    const bits = new Uint32Array(row.buffer, row.byteOffset, row.length);
    for (let c = 0; c < row.length; c++) {
      const half = toBfloat(bits[c]);
      if ((half & 0x7fff) === 0x7f80) losses.overflow++;
      into[c >> 1] |= half << (16 * (c & 1));
    }
  },
  f16: (row, into, _, losses) => {
    for (let c = 0; c < row.length; c++) {
      const half = toHalf(row[c]);
      if ((half & 0x7fff) === 0x7c00) losses.overflow++;
      else if ((half & 0x7fff) === 0 && row[c] !== 0) losses.flushed++;
      into[c >> 1] |= half << (16 * (c & 1));
    }
  },
  int8: (row, into, ld) => {
    const scales = new Float32Array(into.buffer, into.byteOffset + ld, into.length - ld / 4);
    blocks(row, (block, b) => {
      const scale = Math.fround(largest(block) / 127);
      scales[b] = scale;
      if (scale === 0) return;
      block.forEach((value, i) => {
        const c = b * BLOCK + i;
        const code = Math.max(-127, Math.min(127, Math.round(value / scale)));
        into[c >> 2] |= (code & 255) << (8 * (c & 3));
      });
    });
  },
  int4: (row, into, ld, losses) => {
    const codes = Math.ceil(ld / 8);
    blocks(row, (block, b) => {
      const low = toHalf(Math.min(...block));
      const step = toHalf((Math.max(...block) - fromHalf(low)) / 15);
      into[codes + b] = low | (step << 16);
      const [from, by] = [fromHalf(low), fromHalf(step)];
      if (!Number.isFinite(from) || !Number.isFinite(by)) losses.overflow += block.length;
      else if (by > 0)
        putCodes(into, b, block, value => Math.max(0, Math.min(15, Math.round((value - from) / by))));
    });
  },
  nf4: (row, into, ld) => {
    const count = Math.ceil(row.length / BLOCK);
    const scales = Array.from({ length: count }, (_, b) => largest(row.subarray(b * BLOCK, (b + 1) * BLOCK)));
    const floats = new Float32Array(into.buffer, into.byteOffset, 2);
    floats[0] = scales.reduce((sum, s) => sum + s, 0) / count;
    floats[1] = Math.max(...scales.map(s => Math.abs(s - floats[0]))) / 448;
    const codes = into.subarray(2 + Math.ceil(Math.ceil(ld / BLOCK) / 4));
    blocks(row, (block, b) => {
      if (floats[1] > 0) into[2 + (b >> 2)] |= toE4m3((scales[b] - floats[0]) / floats[1]) << (8 * (b & 3));
      putCodes(codes, b, block, value => nearestLevel(scales[b] > 0 ? value / scales[b] : 0));
    });
  },
};

/** A function from column to value. */
const UNPACK: Record<Storage, (row: Uint32Array, ld: number) => (column: number) => number> = {
  f32: row => {
    const floats = new Float32Array(row.buffer, row.byteOffset, row.length);
    return c => floats[c];
  },
  bf16: row => {
    const bits = new Uint32Array(1);
    const float = new Float32Array(bits.buffer);
    return c => {
      bits[0] = ((row[c >> 1] >>> (16 * (c & 1))) & 0xffff) << 16;
      return float[0];
    };
  },
  f16: row => c => fromHalf((row[c >> 1] >>> (16 * (c & 1))) & 0xffff),
  int8: (row, ld) => {
    const scales = new Float32Array(row.buffer, row.byteOffset + ld, row.length - ld / 4);
    return c => (((row[c >> 2] >>> (8 * (c & 3))) << 24) >> 24) * scales[Math.floor(c / BLOCK)];
  },
  int4: (row, ld) => c => {
    const line = row[Math.ceil(ld / 8) + Math.floor(c / BLOCK)];
    return fromHalf(line & 0xffff) + fromHalf(line >>> 16) * codeAt(row, c);
  },
  nf4: (row, ld) => {
    const [mean, unit] = new Float32Array(row.buffer, row.byteOffset, 2);
    const codes = row.subarray(2 + Math.ceil(Math.ceil(ld / BLOCK) / 4));
    return c => {
      const b = Math.floor(c / BLOCK);
      const scale = mean + unit * fromE4m3((row[2 + (b >> 2)] >>> (8 * (b & 3))) & 255);
      return NF4_LEVELS[codeAt(codes, c)] * Math.fround(scale);
    };
  },
};

function blocks(row: Float32Array, use: (block: Float32Array, index: number) => void): void {
  for (let b = 0; b * BLOCK < row.length; b++) use(row.subarray(b * BLOCK, (b + 1) * BLOCK), b);
}

function largest(block: Float32Array): number {
  let most = 0;
  for (const value of block) most = Math.max(most, Math.abs(value));
  return most;
}

/** Four-bit codes of block `b`, eight to a word. */
function putCodes(
  into: Uint32Array,
  b: number,
  block: Float32Array,
  codeOf: (value: number) => number,
): void {
  for (let i = 0; i < block.length; i++) {
    const c = b * BLOCK + i;
    into[c >> 3] |= codeOf(block[i]) << (4 * (c & 7));
  }
}

const codeAt = (words: Uint32Array, c: number): number => (words[c >> 3] >>> (4 * (c & 7))) & 15;

/** Index of the nearest level, by halving; exactly between two, the lower one. */
function nearestLevel(value: number): number {
  let code = 0;
  for (let step = 8; step > 0; step >>= 1) if (value > NF4_MIDDLES[code + step - 1]) code += step;
  return code;
}
