/** What a script puts into a program stays a value: no string, number or object changes the structure around it. */
import { describe, expect, test } from 'bun:test';
import fc from 'fast-check';
import { type Interpolated, MosError, mos, type Program } from 'mos';
import { adapter, data, evaluate, model, program, word } from 'mos/builder';

const CLEVER = [
  '" < > adapter evil: v_proj < rank: 1 > model "x',
  'a" < >\nadapter evil: v_proj < >',
  '\\" < > adapter evil: v_proj < > //',
  '\\',
  'a\\\\"',
  '// "',
  '/* ',
  '*/ >',
  '$evil',
  '$\u007b1}',
  '>;}])',
  "' < >",
  '\u2028adapter evil: v_proj < >',
  '\u202e" < >',
];

function structure({ adapters, evals, model: base, data: set }: Program) {
  return [adapters.map(({ name }) => name), evals.map(({ name }) => name), base.path, set?.paths];
}

/** The program, or the mistakes: never another program. */
function attempt(make: () => Program): Program | MosError | TypeError {
  try {
    return make();
  } catch (error) {
    if (error instanceof MosError || error instanceof TypeError) return error;
    throw error;
  }
}

function expectHeld(text: string): void {
  const expected = [['default'], ['e'], text, [`in/${text}.jsonl`]];
  const fromTemplate = attempt(
    () => mos`model ${text} < > /* ${text} */ adapter q_proj < rank: 2 > // ${text}
data "in/${text}.jsonl" < length: 8 >
eval e: on ${text} < >`,
  );
  const fromBuilder = attempt(() =>
    program(
      model(text),
      adapter('q_proj', { rank: 2 }),
      data(`in/${text}.jsonl`, { length: 8 }),
      evaluate('e', text),
    ),
  );
  for (const found of [fromTemplate, fromBuilder]) {
    if (!(found instanceof Error)) expect(structure(found)).toEqual(expected);
    else
      expect(
        text === '' || /[\u0000-\u001f\u007f]/.test(text),
        `${JSON.stringify(text)}: ${found.message}`,
      ).toBe(true);
  }
}

test.each(CLEVER)('%j', text => expectHeld(text));

test('any string', () => {
  const nasty = fc.array(
    fc.constantFrom('"', '\\', '<', '>', ';', '\n', '/', '*', '$', '{', ' ', 'a', ':', "'"),
    { maxLength: 12 },
  );
  fc.assert(
    fc.property(
      fc.oneof(
        nasty.map(signs => signs.join('')),
        fc.string({ unit: 'binary' }),
      ),
      expectHeld,
    ),
    { numRuns: 150 },
  );
});

test('targets are checked as globs, names as names', () => {
  for (const text of CLEVER) {
    expect(attempt(() => program(adapter(text)))).toBeInstanceOf(Error);
    expect(attempt(() => program(adapter('q_proj', { name: text })))).toBeInstanceOf(TypeError);
    expect(() => word(text)).toThrow(TypeError);
  }
});

describe('values that are none', () => {
  test.each<[string, unknown]>([
    ['null', null],
    ['undefined', undefined],
    ['an object that the builder did not make', { text: 'euclid' }],
    ['an object that the builder did not make', new Date(0)],
    ['a symbol', Symbol('x')],
    ['a bigint', 1n],
    ['a list', []],
    ['the function `evil`', function evil() {}],
  ])('%s', (what, value) => {
    const make = () => mos`adapter q_proj < rank: ${value as Interpolated} >`;
    expect(make).toThrow(`value 1 of the template is ${what}`);
    expect(make).toThrow('template.mos:1:24');
  });

  test('a line end in a string, at its place', () => {
    const make = () => mos`adapter q_proj < >
data ${'a\nb'} < >`;
    expect(make).toThrow('has a line end or a control character');
    expect(make).toThrow('template.mos:2:6');
  });

  test('numbers that are none are told by the language', () => {
    for (const value of [Number.NaN, Number.POSITIVE_INFINITY, -1, 1.5])
      expect(() => mos`adapter q_proj < rank: ${value} >`).toThrow('in value 1 of the template');
    expect(mos`adapter q_proj < rank: ${4}; dropout: ${-0} >`.adapters[0]).toMatchObject({
      rank: 4,
      dropout: 0,
    });
  });
});

test('mistakes have their line in the template, and are data with `check`', () => {
  const { diagnostics } = mos.check`
    model "m" < >
    adapter q_proj < rnak: ${4}; experts: ${'sphere'} >`;
  expect(diagnostics.map(({ code, span, notes }) => [code, span?.line, notes])).toEqual([
    ['unknown-field', 3, undefined],
    ['wrong-value', 3, ['in value 2 of the template']],
  ]);
});
