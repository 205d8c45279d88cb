/** The kernels for matrix units are valid where Dawn has them; linear.test.ts runs them with the units written out. */
import { expect, test } from 'bun:test';
import { join } from 'node:path';

test('Dawn compiles them for every storage of the weights, without a warning', async () => {
  const child = Bun.spawn([process.execPath, join(import.meta.dirname, 'fixtures/matrix-units.ts')], {
    stdout: 'pipe',
    stderr: 'pipe',
  });
  const [out, errors] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ]);
  if ((await child.exited) !== 0) throw new Error(errors);
  const said = Object.entries(JSON.parse(out) as Record<string, string[]>);
  expect(said.length).toBe(2 * 2 * 6);
  expect(said.filter(([, messages]) => messages.length > 0)).toEqual([]);
}, 60_000);
