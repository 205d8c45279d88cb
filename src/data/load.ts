/** From the blocks of a program to samples: read, tokenise, count what was lost, hold out validation. */
import { resolve } from 'node:path';
import type { DataBlock, EvalBlock } from '../../dsl/program.ts';
import { quote } from '../model/files.ts';
import type { Tokenizer } from '../model/tokenizer.ts';
import { fault } from '../report/fault.ts';
import { type Dataset, readDataset } from './dataset.ts';
import { countTargets, type Sample } from './labels.ts';
import { type EvalItem, makeEvalItem, makeSample } from './sample.ts';
import { split } from './shuffle.ts';

export interface TrainingData {
  train: Sample[];
  validation: Sample[];
  files: Dataset['files'];
  /** sha256 (hex) of the files. */
  hash: string;
  /** Over all usable samples. */
  tokens: number;
  /** Tokens with a label. */
  targets: number;
  /** Samples cut to `length`. */
  truncated: number;
  /** Samples left out because no label was left, most often by truncation. */
  dropped: number;
  /** Answers that share a token with their surroundings, see `Sample`. */
  mergedBoundaries: number;
}

/**
 * Samples of a data block. The split depends on `seed` and the usable samples only.
 * Faults: those of reading and tokenising, and `no-labels` if nothing is left to learn from.
 */
export function loadTrainingData(
  block: Omit<DataBlock, 'origin'>,
  tokenizer: Tokenizer,
  seed: number,
): TrainingData {
  const dataset = readDataset(
    block.paths.map(path => resolve(block.baseDir, path)),
    block.format,
  );
  const counts = { tokens: 0, targets: 0, truncated: 0, dropped: 0, mergedBoundaries: 0 };
  const usable: Sample[] = [];
  for (const record of dataset.records) {
    const sample = makeSample(record, tokenizer, block.loss, block.length);
    const targets = countTargets(sample.labels);
    if (sample.truncated) counts.truncated++;
    if (targets === 0) {
      counts.dropped++;
      continue;
    }
    counts.mergedBoundaries += sample.mergedBoundaries;
    counts.tokens += sample.ids.length;
    counts.targets += targets;
    usable.push(sample);
  }
  if (usable.length === 0) {
    throw fault(
      'no-labels',
      `none of the ${dataset.records.length} records of ${quote(block.paths.join(', '))} has a token to learn ` +
        `(length ${block.length}, ${counts.truncated} cut off)`,
    );
  }
  const { train, validation } = split(usable.length, block.validation, seed);
  return {
    train: train.map(i => usable[i]!),
    validation: validation.map(i => usable[i]!),
    files: dataset.files,
    hash: dataset.hash,
    ...counts,
  };
}

/** Prompts and references of an eval block, the first `limit` of them. Faults: those of reading and tokenising. */
export function loadEvalItems(
  block: Pick<EvalBlock, 'paths' | 'baseDir' | 'format' | 'limit'>,
  tokenizer: Tokenizer,
): EvalItem[] {
  const { records } = readDataset(
    block.paths.map(path => resolve(block.baseDir, path)),
    block.format,
  );
  return records.slice(0, block.limit ?? records.length).map(record => makeEvalItem(record, tokenizer));
}
