/** Every fault of the list in docs/reliability.md, by its number. The table at the end says how each went. */
import { expect, test } from 'bun:test';
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
