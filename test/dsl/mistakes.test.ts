/** Runs mistakes.md: every fenced `mos` block is checked against the diagnostics its comments expect. */
import { expect, test } from 'bun:test';
import { readFileSync } from 'node:fs';
import { check, renderText, type Severity } from '../../dsl/index.ts';

const markdown = readFileSync(new URL('./mistakes.md', import.meta.url), 'utf8');

interface Expectation {
  severity: Severity;
  code: string;
  place: string;
  help: string;
}

/** Expectations are taken from where they stand, and stay in the text as comments: they move no line. */
function read(block: string): { files: Map<string, string>; expected: Expectation[] } {
  const files = new Map<string, string>();
  const expected: Expectation[] = [];
  let file = 'main.mos';
  for (const line of block.split('\n')) {
    const named = /^\/\/ file: (.+)$/.exec(line);
    if (named) {
      file = named[1] ?? '';
      continue;
    }
    const told = /^\/\/ (error|warning): (\S+) (\S+) (.+)$/.exec(line);
    if (told) {
      const [, severity, code = '', place = '', help = ''] = told;
      expected.push({
        severity: severity as Severity,
        code,
        place: place.split(':').length === 2 ? `main.mos:${place}` : place,
        help,
      });
    }
    files.set(file, `${files.get(file) ?? ''}${line}\n`);
  }
  return { files, expected };
}

for (const match of markdown.matchAll(/```mos\n([\s\S]*?)```/g)) {
  const block = match[1] ?? '';
  test(`mistakes.md:${markdown.slice(0, match.index).split('\n').length + 1}`, () => {
    const { files, expected } = read(block);
    const text = files.get('main.mos') ?? '';
    const { diagnostics, program, sources } = check('main.mos', text, {
      readFile: path => files.get(path),
      ...(!/^model/m.test(text) && { overrides: { model: 'm' } }),
    });
    const found: Expectation[] = diagnostics.map(({ severity, code, span, help }) => ({
      severity,
      code,
      place: `${span?.file}:${span?.line}:${span?.column}`,
      help: help ?? '',
    }));
    const order = (a: Expectation, b: Expectation) =>
      `${a.place} ${a.code}`.localeCompare(`${b.place} ${b.code}`);
    expect(found.toSorted(order), renderText(diagnostics, sources)).toEqual(expected.toSorted(order));
    expect(program === undefined).toBe(expected.some(({ severity }) => severity === 'error'));
  });
}
