/** The runtime as a page would load it: small, and made of nothing that a browser does not have. */
import { expect, test } from 'bun:test';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const ROOT = join(import.meta.dir, '../..');
const ENTRY = join(ROOT, 'src/runtime.ts');
const MOST_BYTES = 40 * 1024;

test(`minified, it has at most ${MOST_BYTES} bytes`, async () => {
  const { outputs } = await Bun.build({ entrypoints: [ENTRY], target: 'browser', minify: true });
  expect(outputs.length).toBe(1);
  expect(outputs[0].size).toBeLessThanOrEqual(MOST_BYTES);
});

test('it imports no package and nothing of a platform, itself or through others', async () => {
  const seen = new Set<string>();
  const outside: string[] = [];
  const scanner = new Bun.Transpiler({ loader: 'ts' });
  const visit = (file: string) => {
    if (seen.has(file)) return;
    seen.add(file);
    for (const { path } of scanner.scanImports(readFileSync(file, 'utf8'))) {
      if (path.startsWith('.')) visit(join(file, '..', path));
      else outside.push(`${file}: ${path}`);
    }
  };
  visit(ENTRY);
  expect(outside).toEqual([]);
  expect(seen.size).toBeGreaterThan(20);
  const text = await (await Bun.build({ entrypoints: [ENTRY], target: 'browser' })).outputs[0].text();
  expect(text).not.toMatch(/\b(process|Buffer|Bun|Deno|require|__dirname|window|document)\s*[.([]/);
});

test('loading it leaves nothing behind in the global scope', async () => {
  const child = Bun.spawn(
    [
      'bun',
      '-e',
      `const before = new Set(Reflect.ownKeys(globalThis)); await import(${JSON.stringify(ENTRY)});
console.log(JSON.stringify(Reflect.ownKeys(globalThis).filter(key => !before.has(key)).map(String)))`,
    ], // prettier-ignore
    { cwd: ROOT, stdout: 'pipe' },
  );
  expect(JSON.parse(await new Response(child.stdout).text())).toEqual([]);
});
