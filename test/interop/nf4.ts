/** Codes of NF4, ours beside those that nf4.py wrote. */
import { join } from 'node:path';
import { BLOCK, rowWords } from '../../compiler/plan/storage.ts';
import { openSafetensors } from '../../src/model/safetensors.ts';
import { packRows } from '../../src/runtime/pack-weights.ts';
import type { Report } from './report.ts';

export function compareNf4(folder: string, report: Report): void {
  const file = openSafetensors(join(folder, 'nf4.safetensors'));
  const [rows, columns] = file.tensor('weights').shape;
  const words = packRows('nf4', file.readF32('weights'), columns, columns);
  // two floats, a byte per block in whole words, then the codes
  const start = 2 + Math.ceil(columns / BLOCK / 4);
  const pitch = rowWords('nf4', columns);
  const ours = Array.from({ length: rows * columns }, (_, i) => {
    const [r, c] = [Math.floor(i / columns), i % columns];
    return (words[r * pitch + start + (c >> 3)] >>> (4 * (c & 7))) & 15;
  });
  report.same('NF4 codes', ours, file.readInts('codes'));
  file.close();
}
