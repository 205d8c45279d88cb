/** Whatever the text, `check` answers: no exception, spans inside the text, and few diagnostics for one slip. */
import { describe, expect, test } from 'bun:test';
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { type Checked, check, isCode, renderGithub, renderJson, renderText } from '../../dsl/index.ts';
import { LINE, TINY } from './tiny.ts';

const SEED = 20260214;
const files: Record<string, string> = { 'a.mos': 'let flat = euclid;' };
const examples: Record<string, string> = {
  TINY,
  'with a constant of another file': `use "a.mos";\n${LINE.replace('euclid', '$flat')}\neval a: on "x.jsonl" < limit: 3 >\n`,
};
const folder = new URL('../../examples/', import.meta.url);
for (const name of new Bun.Glob('**/*.mos').scanSync({ cwd: folder.pathname }))
  examples[name] = readFileSync(new URL(name, folder), 'utf8');

function answer(text: string): Checked {
  const checked = check('main.mos', text, {
    readFile: path => files[path] ?? examples[path],
    overrides: { model: 'm' },
  });
  const { diagnostics, sources, program } = checked;
  expect(program === undefined).toBe(diagnostics.some(({ severity }) => severity === 'error'));
  for (const { code, severity, message, help, span, related, fix } of diagnostics) {
    expect(isCode(code)).toBe(true);
    expect(message).not.toMatch(/undefined|NaN|\[object|Token|expecting/);
    if (severity !== 'note') expect(help).toBeTruthy();
    for (const place of [
      span,
      ...(related ?? []).map(one => one.span),
      ...(fix?.edits ?? []).map(one => one.span),
    ]) {
      if (!place) continue;
      const length = sources.get(place.file)?.length ?? 0;
      expect(place.start).toBeGreaterThanOrEqual(0);
      expect(place.end).toBeGreaterThanOrEqual(place.start);
      expect(place.end).toBeLessThanOrEqual(length);
      expect(place.line).toBeGreaterThan(0);
      expect(place.column).toBeGreaterThan(0);
    }
  }
  renderText(diagnostics, sources);
  JSON.parse(renderJson(diagnostics, sources));
  renderGithub(diagnostics);
  return checked;
}

test('any string', () => {
  const anything = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 60 }),
    fc.string({ unit: 'grapheme', maxLength: 60 }),
  );
  fc.assert(
    fc.property(anything, text => void answer(text)),
    { seed: SEED, numRuns: 400 },
  );
});

const words = [
  ...'adapter model data train eval use let space sweep true false on layers rank experts sphere learn topk'.split(
    ' ',
  ),
  ...'< > ( ) [ ] { } : ; , = * .. - + / ^ % $x "s" 8 4. 5% q_proj // /* */ @ \' "'.split(' '),
  '\n',
  ' ',
];

test('any sequence of words', () => {
  const text = fc.array(fc.constantFrom(...words), { maxLength: 40 }).map(parts => parts.join(' '));
  fc.assert(
    fc.property(text, string => void answer(string)),
    { seed: SEED, numRuns: 600 },
  );
});

describe('a thousand one-character mutations', () => {
  const alphabet = [...'abz059_<>()[]{}:;,=*.-$%"\'/@# \n'];
  const mutated = (text: string) =>
    fc
      .record({
        // Unbiased: by default fast-check prefers the ends of an interval.
        at: fc.noBias(fc.integer({ min: 0, max: text.length - 1 })),
        how: fc.constantFrom('delete', 'insert', 'replace'),
        char: fc.constantFrom(...alphabet),
      })
      .map(
        ({ at, how, char }) =>
          text.slice(0, at) + (how === 'delete' ? '' : char) + text.slice(at + (how === 'insert' ? 0 : 1)),
      );

  test.each(Object.entries(examples))('%s', (name, text) => {
    let total = 0;
    let calm = 0;
    const before = answer(text).diagnostics.length;
    fc.assert(
      fc.property(mutated(text), changed => {
        total++;
        if (answer(changed).diagnostics.length <= before + 1) calm++;
      }),
      { seed: SEED, numRuns: name.includes('/') ? 300 : 1000 },
    );
    // At most one more diagnostic, for nine slips in ten.
    expect(calm / total, `${name}: ${calm} of ${total}`).toBeGreaterThanOrEqual(0.9);
  });
});

test('long nonsense is answered, and not at length', () => {
  const n = 100_000;
  const nonsense = [
    ...[
      '(',
      '[',
      '<',
      '>',
      ';',
      '{',
      'a:',
      'a ',
      '"',
      '$',
      '/*',
      '1..',
      '-',
      'let ',
      'adapter a< ',
      'a=(',
      '@',
    ].map(part => part.repeat(n / part.length)),
    `adapter q < experts: ${'a('.repeat(n)}`,
    `adapter q < rank: ${'['.repeat(n)}8${']'.repeat(n)} >`,
    `adapter q < experts: ${'sphere, '.repeat(20_000)} euclid >`,
  ];
  for (const text of nonsense) {
    const { diagnostics } = answer(text);
    expect(diagnostics.length).toBeGreaterThan(0);
    expect(diagnostics.length).toBeLessThanOrEqual(101);
  }
}, 120_000);
