/** Row 12: the software GPU, which follows the standard exactly: reference arrays, and the time of the step of the example. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import type { Bench, Outcome, Row } from './row.ts';

const ROOT = join(import.meta.dirname, '..');

/** Runs `mos VERB …`; gives the last line of what it prints. */
function mos(...args: string[]): { code: number | null; last: string } {
  const { status, stdout } = spawnSync(process.execPath, ['src/cli/main.ts', ...args], {
    cwd: ROOT,
    encoding: 'utf8',
  });
  return { code: status, last: stdout.trim().split('\n').at(-1) ?? '' };
}

export const row: Row = {
  number: 12,
  title: 'Software GPU',
  async run(bench: Bench): Promise<Outcome> {
    if (!bench.software)
      return { tables: [], skipped: ['the device is hardware; run this on a machine without a GPU'] };
    const { code, last } = mos('verify', 'test/golden');
    return {
      tables: [
        { title: '`mos verify test/golden`', head: ['exit code', 'says'], rows: [[String(code), last]] },
      ],
      targets: [
        { name: 'reference arrays within tolerance', wanted: 'all', measured: last, met: code === 0 },
      ],
    };
  },
};
