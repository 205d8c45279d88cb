/** Records → samples to train on and to hold out, with counts of what was lost on the way. */
import type { DataBlock } from '../../dsl/program.ts';
import { quote } from '../model/text.ts';
import type { Tokenizer } from '../model/tokenizer.ts';
import { fault } from '../report/fault.ts';
import { countTargets, type Sample } from './labels.ts';
import type { DataRecord } from './records.ts';
import { makeSample } from './sample.ts';
import { split } from './shuffle.ts';

export interface TrainingSamples {
  train: Sample[];
  validation: Sample[];
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
 * Faults: those of tokenising, and `no-labels` if nothing is left to learn from.
 */
export function samplesOf(
  records: readonly DataRecord[],
  block: Pick<DataBlock, 'loss' | 'length' | 'validation' | 'paths'>,
  tokenizer: Tokenizer,
  seed: number,
): TrainingSamples {
  const counts = { tokens: 0, targets: 0, truncated: 0, dropped: 0, mergedBoundaries: 0 };
  const usable: Sample[] = [];
  for (const record of records) {
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
      `none of the ${records.length} records of ${quote(block.paths.join(', '))} has a token to learn ` +
        `(length ${block.length}, ${counts.truncated} cut off)`,
    );
  }
  const { train, validation } = split(usable.length, block.validation, seed);
  return {
    train: train.map(i => usable[i]!),
    validation: validation.map(i => usable[i]!),
    ...counts,
  };
}
