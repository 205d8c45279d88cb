/** From the blocks of a program to samples: read, tokenise, count what was lost, hold out validation. */
import { resolve } from 'node:path';
import type { DataBlock, EvalBlock } from '../../dsl/program.ts';
import type { Tokenizer } from '../model/tokenizer.ts';
import { type Dataset, readDataset } from './dataset.ts';
import { type EvalItem, makeEvalItem } from './sample.ts';
import { samplesOf, type TrainingSamples } from './training-samples.ts';

export interface TrainingData extends TrainingSamples {
  files: Dataset['files'];
  /** sha256 (hex) of the files. */
  hash: string;
}

/** Samples of a data block, see `samplesOf`; its faults, and those of reading. */
export function loadTrainingData(
  block: Omit<DataBlock, 'origin'>,
  tokenizer: Tokenizer,
  seed: number,
): TrainingData {
  const { records, files, hash } = readDataset(
    block.paths.map(path => resolve(block.baseDir, path)),
    block.format,
  );
  return { ...samplesOf(records, block, tokenizer, seed), files, hash };
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
