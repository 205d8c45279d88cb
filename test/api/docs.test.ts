/** docs/api.md: its snippets, one after another, are a script that runs. */
import { expect, test } from 'bun:test';
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';

const ROOT = join(import.meta.dir, '../..');

test('the snippets of docs/api.md run', () => {
  const page = readFileSync(join(ROOT, 'docs/api.md'), 'utf8');
  const script = [...page.matchAll(/^```ts\n([\s\S]*?)^```$/gm)].map(match => match[1]).join('\n');
  const child = Bun.spawnSync([process.execPath, '-e', script], {
    cwd: ROOT,
    env: { ...process.env, NO_COLOR: '1' },
  });
  rmSync(join(ROOT, 'runs/api'), { recursive: true, force: true });
  expect(child.stderr.toString()).toBe('');
  const lines = child.stdout.toString().trim().split('\n');
  expect(lines[0]).toBe('12 adapted modules');
  expect(lines.find(line => line.startsWith('2 steps'))).toBe('2 steps; the adapter is in runs/api/adapter');
  expect(lines).toContain('true 1');
  expect(lines.some(line => /^tree [0-2] of 2$/.test(line))).toBe(true);
  expect(lines).toContain('3 answers');
  expect(lines.at(-1)).toStartWith('unknown-field: ');
});
