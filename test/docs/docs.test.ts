/** The pages are fresh, and their examples are true. */
import { describe, expect, test } from 'bun:test';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { check, format, renderText } from '../../dsl/index.ts';
import { generated } from '../../src/docs/generated.ts';
import { allPages, nearCodes, pageOf } from '../../src/docs/pages.ts';

const ROOT = join(import.meta.dir, '../..');
const read = (path: string) => readFileSync(join(ROOT, path), 'utf8');

describe('generated files are fresh (else run `bun run generate:docs`)', () => {
  test.each(Object.entries(generated(read)))('%s', (path, text) => {
    expect(read(path) === text).toBe(true);
  });
});

describe('pages', () => {
  test('every code of the three catalogues has one, and one only', () => {
    const pages = allPages();
    expect(new Set(pages.map(({ code }) => code)).size).toBe(pages.length);
    for (const phase of ['language', 'compiler', 'run'])
      expect(pages.some(page => page.phase === phase)).toBe(true);
    for (const { code } of pages)
      expect(pageOf(code)).toStartWith(`${pages.find(page => page.code === code)?.severity}[${code}]\n`);
  });

  test('there is none for another word', () => {
    expect(pageOf('no-such-code')).toBeUndefined();
    expect(pageOf('toString')).toBeUndefined();
    expect(nearCodes('unknown-spcae')[0]).toBe('unknown-space');
  });
});

describe('docs/language.md', () => {
  const page = read('docs/language.md');
  for (const match of page.matchAll(/```mos\n([\s\S]*?)```/g)) {
    const line = page.slice(0, match.index).split('\n').length + 1;
    test(`example in line ${line}`, () => {
      const [main = '', ...others] = (match[1] ?? '').split(/^\/\/ file: /m);
      const files = new Map(
        others.map(text => [text.slice(0, text.indexOf('\n')), text.slice(text.indexOf('\n') + 1)]),
      );
      const { diagnostics, sources } = check('main.mos', main, {
        readFile: path => files.get(path),
        needs: { model: false },
      });
      // `// error: code` in the line where the diagnostic is.
      const expected = main
        .split('\n')
        .flatMap((text, i) =>
          [...text.matchAll(/\/\/ (error|warning): ([\w-]+)/g)].map(told => `${told[1]} ${told[2]} ${i + 1}`),
        );
      const found = diagnostics.map(({ severity, code, span }) => `${severity} ${code} ${span?.line}`);
      expect(found.sort(), renderText(diagnostics, sources)).toEqual(expected.sort());
      // What is shown as right is shown in style.
      if (expected.length === 0) expect(format('main.mos', main).text).toBe(main);
    });
  }
});
