/**
 * Micro-batches. Sequences are laid end to end in flat arrays, without padding; who may attend to whom is said by ranges of
 * token indices. The stream of batches is a pure function of (seed, number of the batch).
 */
import { IGNORED, type Sample } from './labels.ts';
import { permutation } from './shuffle.ts';

/** Entry of `targetOf` for a token that predicts nothing. */
export const NO_TARGET = 0xffffffff;

/**
 * A batch of sequences as flat arrays over T tokens and M targets. A target is a token whose next token, in the same
 * sequence, has a label.
 */
export interface PackedBatch {
  /** T, M and the number of sequences. */
  tokens: number;
  targets: number;
  rows: number;
  /** [T] Token ids. */
  ids: Uint32Array<ArrayBuffer>;
  /** [T] Position within the sequence, from 0. */
  position: Uint32Array<ArrayBuffer>;
  /** [T] Index of the sequence. */
  row: Uint32Array<ArrayBuffer>;
  /** [2T] For token t the pair [first, end) of token indices it attends to: from the start of its sequence to itself. */
  keys: Uint32Array<ArrayBuffer>;
  /** [2T] For token t the pair [first, end) of tokens that attend to it: itself to the end of its sequence. */
  queries: Uint32Array<ArrayBuffer>;
  /** [M] Token index of each target, ascending. */
  targetIndex: Uint32Array<ArrayBuffer>;
  /** [M] Id to be predicted there: that of the next token. */
  labels: Uint32Array<ArrayBuffer>;
  /** [T] Index into the targets, or 0xffffffff. */
  targetOf: Uint32Array<ArrayBuffer>;
}

/** Lays sequences end to end. They must not be empty (a bug otherwise). */
export function pack(samples: readonly Pick<Sample, 'ids' | 'labels'>[]): PackedBatch {
  const tokens = samples.reduce((sum, sample) => sum + sample.ids.length, 0);
  const ids = new Uint32Array(tokens);
  const position = new Uint32Array(tokens);
  const row = new Uint32Array(tokens);
  const keys = new Uint32Array(2 * tokens);
  const queries = new Uint32Array(2 * tokens);
  const targetOf = new Uint32Array(tokens).fill(NO_TARGET);
  const targetIndex: number[] = [];
  const labels: number[] = [];
  let start = 0;
  for (const [index, sample] of samples.entries()) {
    const length = sample.ids.length;
    if (length === 0 || sample.labels.length !== length)
      throw new Error(`sample ${index} of a batch has ${length} tokens`);
    const end = start + length;
    for (let i = 0; i < length; i++) {
      const t = start + i;
      ids[t] = sample.ids[i]!;
      position[t] = i;
      row[t] = index;
      keys[2 * t] = start;
      keys[2 * t + 1] = t + 1;
      queries[2 * t] = t;
      queries[2 * t + 1] = end;
      if (i + 1 < length && sample.labels[i + 1] !== IGNORED) {
        targetOf[t] = labels.length;
        targetIndex.push(t);
        labels.push(sample.labels[i + 1]!);
      }
    }
    start = end;
  }
  return {
    tokens,
    targets: labels.length,
    rows: samples.length,
    ids,
    position,
    row,
    keys,
    queries,
    targetIndex: Uint32Array.from(targetIndex),
    labels: Uint32Array.from(labels),
    targetOf,
  };
}

/** Numbers of the samples in order, for good: epoch after epoch, each in an order of its own. */
export interface BatchStream {
  /** The next micro-batch to be taken. Saved by a checkpoint and handed to `batchStream` on resume. */
  position: number;
  /** Sample indices of micro-batch `number`, whichever was taken last. */
  indices(number: number): number[];
  /** The micro-batch at `position`, which is then advanced. */
  next(): PackedBatch;
}

/**
 * Endless micro-batches of `batch` sequences. One that reaches the end of an epoch is filled from the next, so every batch
 * has the same number of sequences and every sample is seen equally often.
 */
export function batchStream(
  samples: readonly Sample[],
  batch: number,
  seed: number,
  position = 0,
): BatchStream {
  if (samples.length === 0) throw new Error('a batch stream needs samples');
  let epoch = -1;
  let order = new Uint32Array(0);
  const indices = (number: number): number[] =>
    Array.from({ length: batch }, (_, i) => {
      const place = number * batch + i;
      const wanted = Math.floor(place / samples.length);
      if (wanted !== epoch) {
        epoch = wanted;
        order = permutation(samples.length, seed, epoch) as Uint32Array<ArrayBuffer>;
      }
      return order[place % samples.length]!;
    });
  return {
    position,
    indices,
    next() {
      return pack(indices(this.position++).map(index => samples[index]!));
    },
  };
}

/** All samples once, in order, in micro-batches of at most `batch`: for validation. */
export function* batchesInOrder(samples: readonly Sample[], batch: number): Generator<PackedBatch> {
  for (let at = 0; at < samples.length; at += batch) yield pack(samples.slice(at, at + batch));
}
