/** Every fault of the list in docs/reliability.md, by its number. The table at the end says how each went. */
import { expect, test } from 'bun:test';
import { readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import './inputs.ts';
import './language.ts';
import './plans.ts';
import './gpu.ts';
import './numbers.ts';
import './disk.ts';
import './processes.ts';
import { missing } from './table.ts';

test('every number has a test', () => {
  expect(missing(65)).toEqual([]);
});

test('every test that docs/reliability.md names is there', () => {
  const root = join(import.meta.dir, '../..');
  const tests = new Set(
    [...new Bun.Glob('test/**/*.ts').scanSync(root)].flatMap(path => [path, basename(path)]),
  );
  const named = readFileSync(join(root, 'docs/reliability.md'), 'utf8').match(/[\w/.-]+\.ts\b/g) ?? [];
  expect(named.length).toBeGreaterThan(10);
  expect(named.filter(name => !tests.has(name))).toEqual([]);
});
