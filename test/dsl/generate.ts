/**
 * Random programs that are well formed, with comments and line ends between any two words. What they say is often
 * wrong (an unknown field, a number out of range); only their form matters.
 */
import fc from 'fast-check';

/** The words of a program. A gap may hold anything between two of them. */
type Words = string[];

const name = fc.constantFrom(
  'q_proj',
  'rank',
  'a',
  'learn',
  'sphere',
  'c',
  'on',
  'layers',
  'Über'.slice(2),
  'x_1',
  'model.layers.0.o_proj',
);
const plainName = fc.constantFrom('rank', 'alpha', 'curved', 'c', 'min', 'train', 'lift');
const number = fc.constantFrom('8', '0.5', '3e-3', '1_000', '5%', '512MiB', '1.0');
const string = fc.constantFrom(
  '"a.jsonl"',
  '"mlp.{gate,up}_proj"',
  '"\\"q\\""',
  '"// no comment"',
  `"${'long'.repeat(12)}"`,
);

const separated = (items: Words[], sign: string): Words =>
  items.flatMap((item, i) => (i === 0 ? item : [sign, ...item]));

const signed: fc.Arbitrary<Words> = fc.oneof(
  number.map(n => [n]),
  number.map(n => ['-', n]),
);

const value: fc.Arbitrary<Words> = fc.letrec<{ value: Words; atom: Words }>(tie => ({
  atom: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    signed,
    name.map(n => [n]),
    fc.constantFrom<Words>(['true'], ['false'], ['$curved'], ['all-linear'], ['name', '(', ')'], ['[', ']']),
    string.map(s => [s]),
    fc.tuple(signed, signed).map(([a, b]) => [...a, '..', ...b]),
    fc.array(tie('value'), { minLength: 1, maxLength: 4 }).map(items => ['[', ...separated(items, ','), ']']),
    fc
      .tuple(name, fc.array(fc.tuple(plainName, tie('value')), { minLength: 1, maxLength: 4 }))
      .map(([head, args]) => [
        head,
        '(',
        ...separated(
          args.map(([key, of]) => [key, '=', ...of]),
          ',',
        ),
        ')',
      ]),
  ),
  value: fc
    .tuple(tie('atom'), fc.option(signed, { nil: undefined, freq: 4 }))
    .map(([atom, times]) => (times ? [...atom, '*', ...times] : atom)),
})).value;

const field: fc.Arbitrary<Words> = fc
  .tuple(
    fc.constantFrom('rank', 'experts', 'adapter.rank', 'model', 'router'),
    fc.array(value, { minLength: 1, maxLength: 4 }),
  )
  .map(([key, values]) => [key, ':', ...separated(values, ',')]);

const semicolons = fc.constantFrom<Words>([';'], [';'], [';'], [';', ';']);
const body: fc.Arbitrary<Words> = fc
  .tuple(fc.array(fc.tuple(field, semicolons), { maxLength: 5 }), fc.boolean())
  .map(([fields, ends]) => {
    const words = fields.flatMap(([one, sign], i) =>
      i < fields.length - 1 || ends ? [...one, ...sign] : one,
    );
    return ['<', ...words, '>'];
  });

const optionally = (words: fc.Arbitrary<Words>) => fc.oneof(fc.constant<Words>([]), words);
const list = (item: fc.Arbitrary<Words>) =>
  fc.array(item, { minLength: 1, maxLength: 4 }).map(items => separated(items, ','));

const block: fc.Arbitrary<Words> = fc
  .tuple(
    fc.constantFrom('adapter', 'eval', 'sweep', 'export'),
    optionally(fc.constantFrom(['math', ':'], ['train', ':'])),
    optionally(
      list(
        fc.oneof(
          fc.constantFrom('q_proj', 'all-linear', 'mlp', 'a.b').map(n => [n]),
          string.map(s => [s]),
        ),
      ),
    ),
    optionally(list(string.map(s => [s])).map(paths => ['on', ...paths])),
    optionally(
      list(fc.constantFrom<Words>(['2'], ['0', '..', '5'], ['12', '..', '27'])).map(ranges => [
        'layers',
        ...ranges,
      ]),
    ),
    body,
  )
  .map(parts => parts.flat());

const expression: fc.Arbitrary<Words> = fc.letrec<{ expression: Words }>(tie => ({
  expression: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.constantFrom<Words>(['r'], ['c'], ['2'], ['0.5'], ['1e-3']),
    fc
      .tuple(tie('expression'), fc.constantFrom('+', '-', '*', '/', '^'), tie('expression'))
      .map(([a, sign, b]) => [...a, sign, ...b]),
    tie('expression').map(of => ['-', ...of]),
    tie('expression').map(of => ['(', ...of, ')']),
    fc
      .tuple(fc.constantFrom('sqrt', 'log1p'), tie('expression'))
      .map(([head, of]) => [head, '(', ...of, ')']),
    fc.tuple(tie('expression'), tie('expression')).map(([a, b]) => ['max', '(', ...a, ',', ...b, ')']),
  ),
})).expression;

const space: fc.Arbitrary<Words> = fc
  .tuple(
    fc.constantFrom<Words>(
      [],
      ['(', 'c', ')'],
      ['(', 'c', ':', 'positive', ',', 'k', ':', 'real', '=', 'learn', '(', 'init', '=', '-', '1', ')', ')'],
    ),
    expression,
    expression,
    fc.boolean(),
  )
  .map(([params, lift, drop, ends]) => [
    ...['space', 'horn', ...params, '<', 'lift', '(', 'r', ')', '='],
    ...[...lift, ';', 'drop', '(', 'r', ')', '=', ...drop, ...(ends ? [';'] : []), '>'],
  ]);

const statement: fc.Arbitrary<Words> = fc.oneof(
  fc.tuple(string, fc.boolean()).map(([path, ends]) => ['use', path, ...(ends ? [';'] : [])]),
  fc
    .tuple(plainName, value, fc.boolean())
    .map(([key, of, ends]) => ['let', key, '=', ...of, ...(ends ? [';'] : [])]),
  space,
  { arbitrary: block, weight: 3 },
);

const gap = fc.oneof(
  { arbitrary: fc.constantFrom(' ', '  ', '\n', '\n\n', '\r\n', '\t'), weight: 8 },
  fc.constantFrom(
    ' // one\n',
    '\n// two\n',
    '\n\n\n// three\r\n  ',
    ' /* four */ ',
    '/* five */\n',
    '\n/* six */ ',
    ' /* seven\n  lines */ ',
    '\n// eight  \n// nine\n',
    ` // ${'long '.repeat(20)}\n`,
  ),
);

/** Texts of programs; with `plain`, without comments. */
export const programText: fc.Arbitrary<string> = fc
  .tuple(fc.array(statement, { maxLength: 4 }), fc.array(gap, { minLength: 1, maxLength: 40 }), fc.boolean())
  .map(([statements, gaps, packed]) => {
    const words = statements.flatMap((one, i) => (i === 0 ? one : ['\n', ...one]));
    let text = '';
    for (const [i, word] of words.entries())
      text += (packed && i % 3 > 0 ? ' ' : (gaps[i % gaps.length] ?? ' ')) + word;
    return text + (gaps[words.length % gaps.length] ?? '');
  });
