/** Data files → records, with a hash of the files. */
import { createHash } from 'node:crypto';
import type { DataFormat } from '../../dsl/program.ts';
import { fault } from '../report/fault.ts';
import { readRecordTexts } from './lines.ts';
import { type DataRecord, type RecordFormat, recordsOf } from './records.ts';

export type { DataRecord, Place, RecordFormat } from './records.ts';

export interface Dataset {
  records: DataRecord[];
  files: { path: string; format: RecordFormat; records: number }[];
  /** sha256 (hex) over the files in order: a resumed run refuses other data. */
  hash: string;
}

/**
 * Reads files in order.
 * Faults: `bad-data` naming file and line, `unknown-data-format`, `no-data` for an empty file or list.
 * @param paths resolved paths
 */
export function readDataset(paths: readonly string[], format: DataFormat = 'auto'): Dataset {
  const records: DataRecord[] = [];
  const files: Dataset['files'] = [];
  const hash = createHash('sha256');
  for (const path of paths) {
    const content = createHash('sha256');
    const texts = readRecordTexts(path, bytes => content.update(bytes));
    const { records: found, format: known } = recordsOf(texts, path, format);
    for (const record of found) records.push(record);
    files.push({ path, format: known, records: found.length });
    hash.update(content.digest());
  }
  if (records.length === 0) throw fault('no-data', 'no data file is named');
  return { records, files, hash: hash.digest('hex') };
}
