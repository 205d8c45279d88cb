/** Faults 64 and 65: readers that go away, and a server that there is not. */
import { expect } from 'bun:test';
import { join } from 'node:path';
import { cannotHappen, fault } from './table.ts';

fault(64, 'whoever reads the output goes away: no message, no stack', async () => {
  const main = join(import.meta.dir, '../../src/cli/main.ts');
  const line = `"${process.execPath}" "${main}" help train | true; echo "\${PIPESTATUS[0]}"`;
  const shell = Bun.spawn(['bash', '-c', line], { stdout: 'pipe', stderr: 'pipe' });
  const [stdout, stderr] = await Promise.all([
    new Response(shell.stdout).text(),
    new Response(shell.stderr).text(),
  ]);
  expect([stdout.trim(), stderr]).toEqual(['0', '']);
});

cannotHappen(65, 'a foreign Host or Origin, a body of 1 GB, a slow client', 'nothing listens on the network');
