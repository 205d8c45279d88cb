/** Row 9: storage of the frozen weights; bench/precision.ts in a process of its own. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import type { Outcome, Row } from './row.ts';

export const row: Row = {
  number: 9,
  title: 'Storage of the frozen weights',
  async run(): Promise<Outcome> {
    const script = join(import.meta.dirname, 'precision.ts');
    const { status, stdout, stderr } = spawnSync(process.execPath, [script], { encoding: 'utf8' });
    const cells = stdout
      .split('\n')
      .filter(line => line.startsWith('|'))
      .map(line =>
        line
          .slice(1, -1)
          .split('|')
          .map(cell => cell.trim()),
      );
    if (status !== 0 || cells.length < 3)
      return { tables: [], skipped: [`bench/precision.ts: ${stderr.trim().split('\n').at(-1)}`] };
    const [head, , ...rows] = cells;
    return { tables: [{ title: 'The reference training over what each storage stands for', head, rows }] };
  },
};
