/**
 * A base model on disk: config.json and its weights, in one file or in shards. Opening reads headers only and proves that
 * every tensor the shape needs is there with the right shape and a floating-point type; values are checked when read.
 */
import { createHash } from 'node:crypto';
import { closeSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import type { ModelShape } from '../../compiler/plan/model.ts';
import { rowWords, type Storage } from '../../compiler/plan/storage.ts';
import { fault } from '../report/fault.ts';
import { scalesAreFinite, unpackRows } from '../runtime/pack-weights.ts';
import type { TensorSource } from '../runtime/upload-weights.ts';
import { parseConfig } from './config.ts';
import {
  decodeUtf8,
  hasFile,
  openForReading,
  parseJsonText,
  quote,
  readFault,
  readFully,
  readJson,
  readSmallFile,
  resolveInside,
  SMALL_JSON,
} from './files.ts';
import { type Dtype, type ElementRange, openSafetensors, type SafetensorsFile } from './safetensors.ts';

const SINGLE = 'model.safetensors';
const INDEX = 'model.safetensors.index.json';
const FLOATS: readonly Dtype[] = ['F32', 'F16', 'BF16', 'F64'];
const HASH_CHUNK = 8 * 2 ** 20;

export interface NotFinite {
  nan: number;
  infinite: number;
}

/** How many values are NaN or infinite. */
export function checkFinite(values: Float32Array): NotFinite {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  let nan = 0;
  let infinite = 0;
  for (let i = 0; i < bits.length; i++) {
    const magnitude = bits[i]! & 0x7fffffff;
    if (magnitude >= 0x7f800000) magnitude > 0x7f800000 ? nan++ : infinite++;
  }
  return { nan, infinite };
}

/** Name and shape of every tensor that a model of this shape needs. */
export function expectedTensors(shape: ModelShape): Map<string, number[]> {
  const tensors = new Map<string, number[]>();
  tensors.set(shape.embedding, [shape.vocabulary, shape.hidden]);
  for (const layer of shape.layers) {
    tensors.set(layer.inputNorm, [shape.hidden]);
    tensors.set(layer.postAttentionNorm, [shape.hidden]);
    if (layer.qNorm) tensors.set(layer.qNorm, [shape.headSize]);
    if (layer.kNorm) tensors.set(layer.kNorm, [shape.headSize]);
    for (const norm of [layer.attentionOutNorm, layer.mlpOutNorm])
      if (norm) tensors.set(norm, [shape.hidden]);
    for (const linear of [layer.q, layer.k, layer.v, layer.o, layer.gate, layer.up, layer.down]) {
      tensors.set(`${linear.path}.weight`, [linear.out, linear.in]);
      if (linear.bias) tensors.set(`${linear.path}.bias`, [linear.out]);
    }
  }
  tensors.set(shape.finalNorm, [shape.hidden]);
  tensors.set(shape.head, [shape.vocabulary, shape.hidden]);
  return tensors;
}

export class Checkpoint {
  readonly folder: string;
  readonly shape: ModelShape;
  /** Every tensor and the file that holds it. */
  private readonly home: Map<string, SafetensorsFile>;
  private readonly files: Map<string, SafetensorsFile>;
  private readonly configBytes: Uint8Array;
  private sum = 0;
  private readonly expected: Map<string, number[]>;

  /** Use `openCheckpoint`. */
  constructor(
    folder: string,
    shape: ModelShape,
    home: Map<string, SafetensorsFile>,
    files: Map<string, SafetensorsFile>,
    configBytes: Uint8Array,
  ) {
    this.folder = folder;
    this.shape = shape;
    this.home = home;
    this.files = files;
    this.configBytes = configBytes;
    this.expected = expectedTensors(shape);
  }

  names(): string[] {
    return [...this.home.keys()];
  }

  has(name: string): boolean {
    return this.home.has(name);
  }

  /** Shape and stored type; a fault `missing-tensor` if there is none of this name. */
  tensor(name: string): { shape: number[]; dtype: Dtype } {
    const { shape, dtype } = this.fileOf(name).tensor(name);
    return { shape, dtype };
  }

  /**
   * Values as f32, row-major; all of them or a range of elements. Those of norms with `normOffset` added.
   * Faults: `missing-tensor`, `unsupported-dtype`, `short-read`, and `not-finite-weights` if any value is NaN or infinite.
   */
  readF32(name: string, range?: ElementRange): Float32Array {
    const packing = this.packingOf(name);
    if (packing) return this.unpack(name, packing, range);
    const values = this.fileOf(name).readF32(name, range);
    this.count(values);
    const { normOffset } = this.shape;
    if (normOffset !== undefined && isNorm(name))
      for (let i = 0; i < values.length; i++) values[i] += normOffset;
    const { nan, infinite } = checkFinite(values);
    if (nan + infinite > 0) {
      throw fault(
        'not-finite-weights',
        `tensor ${quote(name)} of ${quote(this.folder)} has ${nan} NaN and ${infinite} infinite values ` +
          `among ${values.length}`,
      );
    }
    return values;
  }

  /** As `TensorSource.packed`. Faults: `short-read`, `not-finite-weights`. */
  readPacked(name: string, storage: Storage, { from, count }: ElementRange): Uint32Array | undefined {
    const packing = this.packingOf(name);
    return packing?.storage === storage ? this.rows(name, packing, from, count) : undefined;
  }

  /** What an executor reads from. */
  source(): TensorSource {
    const read = async (name: string, range?: ElementRange) => this.readF32(name, range);
    return Object.assign(read, { packed: this.readPacked.bind(this) });
  }

  /** Bytes of a tensor as they are in the file. */
  readBytes(name: string): Uint8Array {
    return this.fileOf(name).read(name);
  }

  private packingOf(name: string): Packing | undefined {
    const { packed, embedding, head } = this.shape;
    const [, columns] = packed ? (this.expected.get(name) ?? []) : [];
    if (!packed || columns === undefined) return undefined;
    const storage = name === embedding || name === head ? packed.table : packed.linear;
    return { storage, columns, ld: align4(columns) };
  }

  private unpack(name: string, packing: Packing, range?: ElementRange): Float32Array {
    const { storage, columns, ld } = packing;
    const [rows] = this.expected.get(name)!;
    const { from, count } = range ?? { from: 0, count: rows * columns };
    const first = Math.floor(from / columns);
    const words = this.rows(name, packing, first, Math.ceil((from + count) / columns) - first);
    return unpackRows(storage, words, columns, ld).subarray(
      from - first * columns,
      from - first * columns + count,
    );
  }

  private rows(name: string, { storage, columns, ld }: Packing, from: number, count: number): Uint32Array {
    const pitch = rowWords(storage, ld);
    const bytes = this.fileOf(name).read(name, { from: from * pitch, count: count * pitch });
    const words = new Uint32Array(bytes.buffer);
    this.count(words);
    if (!scalesAreFinite(storage, words, columns, ld))
      throw fault(
        'not-finite-weights',
        `tensor ${quote(name)} of ${quote(this.folder)} has scales that are no numbers`,
      );
    return words;
  }

  private count(values: Float32Array | Uint32Array): void {
    this.sum = crc32(new Uint8Array(values.buffer, values.byteOffset, values.byteLength), this.sum);
  }

  /** A checksum of all values that `readF32` has given so far, in that order: free, as they had to be read anyway. */
  readSum(): string {
    return this.sum.toString(16).padStart(8, '0');
  }

  /** sha256 (hex) over config.json, file names, sizes and headers: cheap, and changes whenever the layout does. */
  fingerprint(): string {
    const hash = createHash('sha256').update(`config ${this.configBytes.length}\n`).update(this.configBytes);
    for (const [name, file] of this.sortedFiles()) {
      hash.update(`\n${name} ${file.size} ${file.headerBytes.length}\n`).update(file.headerBytes);
    }
    return hash.digest('hex');
  }

  /** sha256 (hex) over config.json and every byte of every weight file: as slow as reading them. */
  contentHash(): string {
    const hash = createHash('sha256').update(`config ${this.configBytes.length}\n`).update(this.configBytes);
    for (const [name, file] of this.sortedFiles()) {
      hash.update(`\n${name} ${file.size}\n`);
      const { handle, size } = openForReading(file.path);
      try {
        for (let at = 0; at < size; at += HASH_CHUNK) {
          const chunk = new Uint8Array(Math.min(HASH_CHUNK, size - at));
          readFully(handle, chunk, at, file.path);
          hash.update(chunk);
        }
      } finally {
        closeSync(handle);
      }
    }
    return hash.digest('hex');
  }

  /** Bytes of all weight files. */
  bytes(): number {
    return [...this.files.values()].reduce((sum, file) => sum + file.size, 0);
  }

  close(): void {
    for (const file of this.files.values()) file.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  private sortedFiles(): [string, SafetensorsFile][] {
    return [...this.files].sort(([a], [b]) => (a < b ? -1 : 1));
  }

  private fileOf(name: string): SafetensorsFile {
    const file = this.home.get(name);
    if (!file) throw fault('missing-tensor', `${quote(this.folder)} has no tensor ${quote(name)}`);
    return file;
  }
}

/** Whether a folder has weights to open, whole or in shards. */
export const hasWeights = (folder: string): boolean => hasFile(folder, SINGLE) || hasFile(folder, INDEX);

/**
 * Opens a checkpoint folder and checks it as a whole. The caller closes it.
 * Faults: those of config.json and of safetensors files, `bad-checkpoint`, `missing-tensor`, `wrong-tensor-shape`,
 * `unsafe-path` for a shard outside the folder.
 */
export function openCheckpoint(folder: string): Checkpoint {
  requireFolder(folder);
  const configPath = join(folder, 'config.json');
  const configBytes = readSmallFile(resolveInside(folder, 'config.json'), SMALL_JSON.maxBytes);
  const text = decodeUtf8(configBytes);
  if (text === undefined) throw fault('bad-json', `${quote(configPath)} is not valid UTF-8`);
  const shape = parseConfig(parseJsonText(text, configPath, SMALL_JSON), configPath);

  const files = new Map<string, SafetensorsFile>();
  try {
    const home = openWeights(folder, files);
    checkTensors(folder, shape, home);
    return new Checkpoint(folder, { ...shape, dtype: storedType(shape, home) }, home, files, configBytes);
  } catch (error) {
    for (const file of files.values()) file.close();
    throw error;
  }
}

function requireFolder(folder: string): void {
  let isFolder: boolean;
  try {
    isFolder = statSync(folder).isDirectory();
  } catch (error) {
    throw readFault(folder, error);
  }
  if (!isFolder) {
    throw fault('unreadable-file', `${quote(folder)} is not a folder`, {
      help: 'name the folder of the checkpoint',
    });
  }
}

/** Fills `files` as it goes, so that the caller can close them on a fault. */
function openWeights(folder: string, files: Map<string, SafetensorsFile>): Map<string, SafetensorsFile> {
  const home = new Map<string, SafetensorsFile>();
  if (hasFile(folder, SINGLE)) {
    const file = openSafetensors(resolveInside(folder, SINGLE));
    files.set(SINGLE, file);
    for (const name of file.tensors.keys()) home.set(name, file);
    return home;
  }
  if (!hasWeights(folder)) {
    throw fault('file-not-found', `${quote(folder)} has neither ${SINGLE} nor ${INDEX}`, {
      help: 'a checkpoint in another format (pytorch_model.bin, gguf) has to be converted to safetensors first',
    });
  }
  const weightMap = readIndex(folder);
  for (const shard of new Set(weightMap.values())) openShard(folder, shard, files, home);
  for (const [name, shard] of weightMap) {
    if (home.get(name) !== files.get(shard)) {
      throw fault(
        'missing-tensor',
        `${INDEX} of ${quote(folder)} puts ${quote(name)} into ${quote(shard)}, which lacks it`,
      );
    }
  }
  return home;
}

function openShard(
  folder: string,
  shard: string,
  files: Map<string, SafetensorsFile>,
  home: Map<string, SafetensorsFile>,
): void {
  if (!shard.endsWith('.safetensors')) {
    throw fault(
      'bad-checkpoint',
      `${INDEX} of ${quote(folder)} names ${quote(shard)}, not a safetensors file`,
    );
  }
  const file = openSafetensors(resolveInside(folder, shard));
  files.set(shard, file);
  for (const name of file.tensors.keys()) {
    if (home.has(name))
      throw fault('bad-checkpoint', `tensor ${quote(name)} is in two shards of ${quote(folder)}`);
    home.set(name, file);
  }
}

function readIndex(folder: string): Map<string, string> {
  const index = readJson(resolveInside(folder, INDEX), { maxBytes: 64 * 2 ** 20, maxDepth: 8 });
  const map =
    typeof index === 'object' && index !== null ? (index as { weight_map?: unknown }).weight_map : undefined;
  if (typeof map !== 'object' || map === null || Array.isArray(map)) {
    throw fault('bad-checkpoint', `${INDEX} of ${quote(folder)} has no object \`weight_map\``);
  }
  const result = new Map<string, string>();
  for (const [name, shard] of Object.entries(map)) {
    if (typeof shard !== 'string') {
      throw fault('bad-checkpoint', `${INDEX} of ${quote(folder)} gives no file name for ${quote(name)}`);
    }
    result.set(name, shard);
  }
  return result;
}

const isNorm = (name: string): boolean => /norm\.weight$/.test(name);

interface Packing {
  storage: Storage;
  columns: number;
  ld: number;
}

const align4 = (columns: number): number => Math.ceil(columns / 4) * 4;

/** The narrowest of f32, bf16 and f16 that holds every matrix as it is stored. */
function storedType(shape: ModelShape, home: Map<string, SafetensorsFile>): NonNullable<ModelShape['dtype']> {
  if (shape.packed) return shape.packed.linear;
  const matrices = [...expectedTensors(shape)].filter(([, size]) => size.length === 2);
  const types = new Set(matrices.map(([name]) => home.get(name)!.tensor(name).dtype));
  if (types.size > 1) return 'f32';
  return types.has('BF16') ? 'bf16' : types.has('F16') ? 'f16' : 'f32';
}

function checkTensors(folder: string, shape: ModelShape, home: Map<string, SafetensorsFile>): void {
  const expected = expectedTensors(shape);
  const missing = [...expected.keys()].filter(name => !home.has(name));
  if (missing.length > 0) {
    const more = missing.length > 1 ? ` and ${missing.length - 1} more` : '';
    throw fault('missing-tensor', `${quote(folder)} has no tensor ${quote(missing[0]!)}${more}`);
  }
  for (const [name, wanted] of expected) {
    const info = home.get(name)!.tensor(name);
    const packed = shape.packed && wanted.length === 2;
    const table = name === shape.embedding || name === shape.head;
    const size = packed
      ? [wanted[0], rowWords(table ? shape.packed!.table : shape.packed!.linear, align4(wanted[1]))]
      : wanted;
    if (info.shape.join() !== size.join()) {
      throw fault(
        'wrong-tensor-shape',
        `tensor ${quote(name)} of ${quote(folder)} is [${info.shape.join(', ')}], config.json says [${size.join(', ')}]`,
      );
    }
    if (packed ? info.dtype !== 'U32' : !FLOATS.includes(info.dtype)) {
      throw fault(
        'unsupported-dtype',
        `tensor ${quote(name)} of ${quote(folder)} is ${info.dtype}, not ${packed ? 'U32' : 'floating point'}`,
      );
    }
  }
}
