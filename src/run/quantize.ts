/**
 * Quantises a checkpoint ahead of its use: a folder with the words that loading would compute, so that it is read in a
 * fraction of the time and space. Rows of a few megabytes are converted at a time. Layout: docs/models.md.
 */
import { copyFileSync, mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { rowWords, type Storage, storagesFor } from '../../compiler/plan/storage.ts';
import { realFiles, replaceFile, systemCode } from '../host/files.ts';
import { type Checkpoint, expectedTensors } from '../model/checkpoint.ts';
import { hasFile, quote, readJson, resolveInside } from '../model/files.ts';
import { MODEL_FILES } from '../model/pull.ts';
import { encodeHeader } from '../model/safetensors-bytes.ts';
import type { Dtype } from '../model/safetensors-header.ts';
import { fault } from '../report/fault.ts';
import { checkLosses, noLosses, packRows } from '../runtime/pack-weights.ts';

/** Storages worth keeping on disk: the others are what checkpoints have anyway. */
export const QUANTISED = ['int8', 'int4', 'nf4'] as const;
export type Quantised = (typeof QUANTISED)[number];

/** Numbers converted at a time. */
const PIECE = 4 * 2 ** 20;

interface Entry {
  dtype: Dtype;
  shape: number[];
  /** For matrices: how they are stored, and their columns. */
  packed?: { storage: Storage; columns: number; ld: number };
}

export interface QuantisedModel {
  folder: string;
  /** Bytes of the weights before and after. */
  before: number;
  after: number;
}

/**
 * Writes the quantised model into `folder`, which is made and must be empty. Faults: `bad-argument` for a model that is
 * quantised already or a folder with something in it, `weights-out-of-range`, `unwritable-file`, those of reading.
 */
export function quantiseModel(
  checkpoint: Checkpoint,
  storage: Quantised,
  folder: string,
  onProgress: (done: number, total: number) => void = () => {},
): QuantisedModel {
  const { shape } = checkpoint;
  if (shape.packed)
    throw fault('bad-argument', `${quote(checkpoint.folder)} is quantised already`, {
      help: 'quantise the checkpoint it was made from',
    });
  const { linear, table } = storagesFor(storage, undefined);
  const entries = new Map<string, Entry>();
  for (const [name, size] of expectedTensors(shape)) {
    if (size.length === 1) {
      entries.set(name, checkpoint.tensor(name));
      continue;
    }
    const [rows, columns] = size;
    const stored = name === shape.embedding || name === shape.head ? table : linear;
    const ld = Math.ceil(columns / 4) * 4;
    entries.set(name, {
      dtype: 'U32',
      shape: [rows, rowWords(stored, ld)],
      packed: { storage: stored, columns, ld },
    });
  }
  const { header, order } = encodeHeader(entries, { format: 'mos', storage });
  const total = [...expectedTensors(shape).values()].reduce(
    (sum, size) => sum + size.reduce((a, b) => a * b),
    0,
  );
  let done = 0;
  let after = 0;
  const converted = (numbers: number) => {
    done += numbers;
    onProgress(done, total);
  };
  function* parts(): Generator<Uint8Array> {
    yield header;
    for (const name of order) {
      for (const part of partsOf(checkpoint, name, entries.get(name)!, converted)) {
        after += part.length;
        yield part;
      }
    }
  }
  try {
    mkdirSync(folder, { recursive: true });
    if (readdirSync(folder).length > 0)
      throw fault('bad-argument', `there is something in ${quote(folder)} already`, {
        help: 'name a new folder',
      });
    replaceFile(realFiles, join(folder, 'model.safetensors'), parts());
    for (const name of MODEL_FILES)
      if (name !== 'config.json' && hasFile(checkpoint.folder, name))
        copyFileSync(resolveInside(checkpoint.folder, name), join(folder, name));
    const config = readJson(resolveInside(checkpoint.folder, 'config.json')) as Record<string, unknown>;
    config.quantization_config = { quant_method: 'mos', version: 1, linear, table };
    // last: without it the folder is no model
    replaceFile(realFiles, join(folder, 'config.json'), [
      new TextEncoder().encode(`${JSON.stringify(config, null, 2)}\n`),
    ]);
  } catch (error) {
    const code = systemCode(error);
    if (code) throw fault('unwritable-file', `${quote(folder)} cannot be written (${code})`);
    throw error;
  }
  return { folder, before: checkpoint.bytes(), after };
}

function* partsOf(
  checkpoint: Checkpoint,
  name: string,
  { shape: [rows], packed }: Entry,
  converted: (numbers: number) => void,
): Generator<Uint8Array> {
  if (!packed) {
    yield checkpoint.readBytes(name);
    converted(rows);
    return;
  }
  const { storage, columns, ld } = packed;
  const losses = noLosses();
  const step = Math.max(1, Math.floor(PIECE / columns));
  for (let row = 0; row < rows; row += step) {
    const count = Math.min(step, rows - row);
    const values = checkpoint.readF32(name, { from: row * columns, count: count * columns });
    const words = packRows(storage, values, columns, ld, losses);
    yield new Uint8Array(words.buffer, words.byteOffset, words.byteLength);
    converted(count * columns);
  }
  checkLosses(name, storage, losses);
}
