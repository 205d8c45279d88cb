/** Declarations of spaces: what is read, and what is said at which place when it cannot be. */
import { describe, expect, test } from 'bun:test';
import { check } from '../../dsl/index.ts';

const USE = '\nadapter q_proj < experts: euclid >';
const told = (text: string, readFile?: (path: string) => string | undefined) =>
  check('main.mos', text, { overrides: { model: 'm' }, ...(readFile && { readFile }) }).diagnostics.map(
    ({ code, span, help }) => `${code} ${span?.line}:${span?.column} ${help}`,
  );
const HORN =
  'space horn(c: positive = learn(init=0.3), k) <\n  lift(r) = log(1 + c*r) / c;\n  drop(u) = (exp(c*u) - 1) / c + -k*0^2^1\n>';

test('a space is plain data in the program, and its parameters are those of its experts', () => {
  const text = `${HORN}\nlet one = horn(c=learn(max=2, decay=0.1, share=layer), scale=learn);\nadapter q_proj < rank: 4; experts: $one * 2, horn(k=0.5, rank=2) >`;
  const { program, diagnostics } = check('main.mos', text, { overrides: { model: 'm' } });
  expect(diagnostics).toEqual([]);
  expect(JSON.parse(JSON.stringify(program))).toEqual(program);
  const [space] = program?.spaces ?? [];
  expect(space?.parameters).toMatchObject([
    { name: 'c', domain: 'positive', fallback: { kind: 'learn', init: 0.3 } },
    { name: 'k', domain: 'real', fallback: { kind: 'learn', init: 0 } },
  ]);
  expect(space?.drop).toMatchObject({ variable: 'u', body: { kind: 'binary', operator: '+' } });
  const [first, second, third] = program?.adapters[0]?.experts ?? [];
  expect(first).toEqual({ ...second, origin: first?.origin } as typeof first);
  expect(first).toMatchObject({ space: 'horn', learnScale: true, rank: 4 });
  expect(first?.parameters?.c).toMatchObject({
    kind: 'learn',
    init: 0.3,
    max: 2,
    decay: 0.1,
    share: { scope: 'layer' },
  });
  expect(third).toMatchObject({
    parameters: { c: { kind: 'learn', init: 0.3 }, k: { kind: 'fixed', value: 0.5 } },
    rank: 2,
  });
});

test('^ binds from the right and tighter than a sign; spans are those of the text', () => {
  const { program } = check('main.mos', `${HORN}\nadapter q_proj < experts: horn >`, {
    overrides: { model: 'm' },
  });
  const body = program?.spaces?.[0]?.drop.body;
  if (body?.kind !== 'binary' || body.right.kind !== 'binary') throw new Error('not a sum of a product');
  expect(body.right.left).toMatchObject({ kind: 'negate', operand: { kind: 'name', name: 'k' } });
  expect(body.right.right).toMatchObject({ operator: '^', right: { operator: '^' } });
  expect(HORN.slice(body.right.span.start, body.right.span.end)).toBe('-k*0^2^1');
});

test('a file of spaces is used by another', () => {
  const text = 'use "spaces/horn.mos";\nadapter q_proj < experts: horn(c=1), euclid; router: soft >';
  expect(told(text, path => (path === 'spaces/horn.mos' ? HORN : undefined))).toEqual([]);
});

describe('mistakes', () => {
  const cases: [text: string, ...expected: string[]][] = [
    [HORN.replace('c*r', 'c r') + USE, 'bad-expression 2:23 write `*`, or what is meant'],
    [HORN.replace('c*r', '2r') + USE, 'bad-expression 2:21 write `2*r`'],
    [HORN.replace('1 + c*r', '1 + ') + USE, 'bad-expression 2:19 write a number, a name or a call'],
    [HORN.replace('c*r)', 'c*r') + USE, 'bad-expression 2:16 write `)` where it ends'],
    [HORN.replace('log', 'lg') + USE, 'unknown-function 2:13 replace it with `log`'],
    [HORN.replace('c*r', 'c*u') + USE, 'unknown-name 2:23 write `r`, `c` or `k`'],
    [HORN.replace('log(1 + c*r)', 'min(r)') + USE, 'wrong-arity 2:13 write `min(x, y)`'],
    [HORN.replace('positive', 'postive') + USE, 'unknown-domain 1:15 replace it with `positive`'],
    [HORN.replace('drop(u)', 'dorp(u)') + USE, 'bad-profile 3:3 replace it with `drop`'],
    [
      `${HORN}\nadapter q_proj < experts: hron, euclid; router: soft >`,
      'unknown-space 5:27 replace it with `horn`',
    ],
    [
      `${HORN}\nadapter q_proj < experts: horn(b=1) >`,
      'unknown-parameter 5:32 write `c`, `k`, `scale` or `rank`',
    ],
    [`${HORN}\nadapter q_proj < experts: horn(c=-1) >`, 'out-of-range 5:34 write a number above 0'],
    [HORN + HORN + USE, 'duplicate-space 4:8 give one of them another name'],
  ];
  for (const [text, ...expected] of cases)
    test(expected[0] ?? '', () => expect(told(text)).toEqual(expected));
});
