/** The formatter: stable, faithful to tree and comments, and of one style (format/input → format/expected). */
import { describe, expect, test } from 'bun:test';
import { readdirSync, readFileSync } from 'node:fs';
import fc from 'fast-check';
import { format } from '../../dsl/index.ts';
import { Source } from '../../dsl/source.ts';
import { readSyntax } from '../../dsl/syntax.ts';
import { programText } from './generate.ts';
import { LINE, TINY } from './tiny.ts';

const SEED = 20260215;

/** The tree without places; comments as a list, without the white space at the ends of their lines. */
function content(text: string): { tree: string; comments: string[] } {
  const { file, report } = readSyntax(new Source('main.mos', text));
  expect(report.list.filter(({ severity }) => severity === 'error')).toEqual([]);
  const isSpan = (value: unknown) =>
    typeof value === 'object' && value !== null && 'column' in value && 'start' in value;
  const tree = JSON.stringify(file.statements, (key, value) =>
    key === 'span' || isSpan(value) ? undefined : value,
  );
  return {
    tree,
    comments: file.comments.map(({ text: comment }) => comment.replace(/[ \t]*\r?\n/g, '\n').trimEnd()),
  };
}

function formatted(text: string): string {
  const { text: once, diagnostics } = format('main.mos', text);
  if (once === undefined) throw new Error(`refused: ${diagnostics[0]?.message}\n${text}`);
  return once;
}

function holds(text: string): void {
  const once = formatted(text);
  expect(formatted(once)).toBe(once);
  expect(content(once)).toEqual(content(text));
  expect(once).toMatch(/^(|[^\s][^\r]*[^\s]\n)$/);
  expect(once).not.toMatch(/[ \t]\n|\n\n\n/);
}

describe('any well-formed program', () => {
  test('is formatted the same twice, means the same, and keeps its comments', () => {
    let refused = 0;
    fc.assert(
      fc.property(programText, text => {
        const { text: once } = format('main.mos', text);
        if (once === undefined) refused++;
        else holds(text);
      }),
      { seed: SEED, numRuns: 200 },
    );
    // A word that starts a block may come to stand at the start of a line, where it does start one.
    expect(refused).toBeLessThan(20);
  });

  test.each(
    ['examples', 'examples/spaces', 'dsl/library'].flatMap(folder => [
      ...new Bun.Glob(`${folder}/*.mos`).scanSync(),
    ]),
  )('%s', path => {
    const text = readFileSync(path, 'utf8');
    holds(text);
    // What comes with mos is in style.
    expect(formatted(text)).toBe(text);
  });

  test('small ones', () => {
    for (const text of [TINY, LINE, '', '// alone', '\uFEFF/* a */', '\r\n\r\nlet a = 1']) holds(text);
    expect(formatted('adapter a<>// end')).toBe('adapter a < > // end\n');
    expect(formatted('')).toBe('');
    expect(formatted(' \n')).toBe('');
  });
});

describe('style', () => {
  const folder = new URL('./format/', import.meta.url);
  const names = readdirSync(new URL('input', folder)).sort();

  test.each(names)('%s', name => {
    const input = readFileSync(new URL(`input/${name}`, folder), 'utf8');
    const expected = readFileSync(new URL(`expected/${name}`, folder), 'utf8');
    expect(formatted(input)).toBe(expected);
    holds(input);
  });

  test('every input has an expected output, and the reverse', () => {
    expect(readdirSync(new URL('expected', folder)).sort()).toEqual(names);
  });
});

describe('a broken file is refused', () => {
  test.each([
    ['adapter q_proj < rank: 8', 'unclosed-body'],
    ['adapter q_proj < rank: 8 alpha: 3 >', 'missing-semicolon'],
    ['adaptor q_proj < rank: 8 >', 'unknown-kind'],
    ['adapter q_proj < rank: 4. >', 'number-trailing-dot'],
    ['model "a < >', 'unterminated-string'],
    ['let = 3', 'expected'],
    ['> >', 'unexpected'],
  ])('%s', (text, code) => {
    const { text: none, diagnostics } = format('main.mos', text);
    expect(none).toBeUndefined();
    expect(diagnostics.map(each => each.code)).toContain(code);
  });

  test('a mistake of meaning is no reason', () => {
    expect(formatted('adapter q_proj<experts:sphrere;rank:0>')).toBe(
      'adapter q_proj < experts: sphrere; rank: 0 >\n',
    );
  });
});
