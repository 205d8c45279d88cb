/** Extraction rules and comparisons, on texts written for what goes wrong. */
import { describe, expect, test } from 'bun:test';
import { lastBoxed, normalise } from '../../src/protocols/boxed.ts';
import { defaultRule, PROTOCOLS, type Protocol } from '../../src/protocols/index.ts';

function rule(protocol: Protocol, name: string, cases: [text: string, answer: string | undefined][]): void {
  describe(name, () => {
    for (const [text, answer] of cases)
      test(JSON.stringify(text), () => expect(protocol.rules[name](text)).toBe(answer));
  });
}

function same(protocol: Protocol, cases: [answer: string, gold: string, same: boolean][]): void {
  describe('comparison', () => {
    for (const [answer, gold, wanted] of cases)
      test(`${answer} / ${gold}`, () => expect(protocol.same(answer, gold)).toBe(wanted));
  });
}

describe('numbers', () => {
  rule(PROTOCOLS.gsm8k, 'last-number', [
    ['She pays $1,234.50 in all.', '1234.50'],
    ['1,000,000', '1000000'],
    ['The answer is -7.', '-7.'],
    ['It falls to −7.', '7.'], // a typographic minus is none
    ['9 - 12 = -3', '-3'],
    ['so 5-3', '-3'], // the published expression takes a dash for a sign
    ['\\boxed{18}', '18'],
    ['half: .5', '5'], // and needs a digit before the point
    ['18 km, or about 20 %', '20'],
    ['Step 1: the rest.', '1'],
    ['1e3', '3'],
    ['twelve', undefined],
    ['', undefined],
  ]);
  rule(PROTOCOLS.gsm8k, 'announced', [
    ['5 + 7 = 12. The answer is 12. (see page 3)', '12.'],
    ['The answer is 12. No: the answer is 13', '13'],
    ['THE ANSWER IS $1,250', '1250'],
    ['12', undefined],
    ['The answer is unknown', undefined],
  ]);
  same(PROTOCOLS.gsm8k, [
    ['18.', '18.0', true],
    ['18.0009', '18', true],
    ['18.002', '18', false],
    ['-18', '18', false],
    ['007', '7', true],
    ['123456789012345678901234567890', '123456789012345678901234567890', true],
  ]);

  test('references', () => {
    const { gold } = PROTOCOLS.gsm8k;
    expect(gold('18.0')).toBe('18.0');
    expect(gold('3 + 4 = 7, so twice 7.\n#### 1,400')).toBe('1400');
    expect(gold('-0.5')).toBe('-0.5');
    expect(gold('#### ')).toBeUndefined();
    expect(gold('C')).toBeUndefined();
    expect(gold('Infinity')).toBeUndefined();
  });
});

describe('letters', () => {
  rule(PROTOCOLS.aqua, 'last-option', [
    ['The options are (A) 1 and (B) 2. So (B).', 'B'],
    ['(A) looks right, but \\boxed{C}', 'C'],
    ['\\boxed{\\text{(D)}} after \\boxed{A}', 'D'], // \text comes before all others
    ['A) 4', 'A'],
    ['the answer is: E', 'E'],
    ['The ANSWER IS (B', 'B'],
    ['the answer is a guess', 'a'],
    ['It is D.', 'D'],
    ['Option C fits', 'C'],
    ['B', undefined],
    ['no idea', undefined],
  ]);
  rule(PROTOCOLS.aqua, 'last-parenthesis', [
    ['\\boxed{C}, not (A)', 'A'],
    ['The correct answer is  D', 'D'],
    ['the answer is D', undefined],
  ]);
  rule(PROTOCOLS.aqua, 'first-letter', [
    ['All of them: (C)', 'A'],
    ['so b) is right: (B)', 'B'],
    ['so c', undefined],
  ]);
  test('references are one letter', () => {
    expect(PROTOCOLS.aqua.gold('E')).toBe('E');
    for (const field of ['F', 'a', 'AB', '', '12.0']) expect(PROTOCOLS.aqua.gold(field)).toBeUndefined();
  });
});

describe('choices', () => {
  rule(PROTOCOLS.boolq, 'first-choice', [
    ['the correct answer is true', 'true'],
    ['It is false that this is true', 'false'],
    ['True', undefined],
    ['untrue', 'true'],
  ]);
  rule(PROTOCOLS['arc-c'], 'first-choice', [
    ['answer4, not answer1', 'answer4'],
    ['answer 4', undefined],
    ['answer6', undefined],
    ['answer12', 'answer1'],
  ]);
  rule(PROTOCOLS.piqa, 'first-choice', [['solution2', 'solution2']]);
  rule(PROTOCOLS.hellaswag, 'first-choice', [['ending4.', 'ending4']]);
  rule(PROTOCOLS.winogrande, 'first-choice', [['option1/option2', 'option1']]);
  test('references are one of the words', () => {
    expect(PROTOCOLS.siqa.gold('answer3')).toBe('answer3');
    expect(PROTOCOLS.siqa.gold('answer33')).toBeUndefined();
    expect(PROTOCOLS.boolq.gold('answer3')).toBeUndefined();
  });
});

describe('boxed', () => {
  const BOXED: [text: string, answer: string | undefined][] = [
    ['So \\boxed{\\frac{1}{2}}.', '\\frac{1}{2}'],
    ['\\boxed{1}, or rather $\\boxed{ 2 }$', '2'],
    ['\\boxed{\\{1, 2\\}}', '\\{1, 2\\}'],
    ['\\boxed{\\left\\{x : x > 0\\right.} done', '\\left\\{x : x > 0\\right.'],
    ['\\boxed{\\begin{pmatrix} 1 \\\\ 2 \\end{pmatrix}}', '\\begin{pmatrix} 1 \\\\ 2 \\end{pmatrix}'],
    ['\\boxed {5}', '5'],
    ['$\\boxed 5$ is it', '5'],
    ['\\fbox{7}', '7'],
    ['\\boxed{\\frac{1}{2', undefined], // cut off by the length limit
    ['\\boxed{1} then \\boxed{2', undefined],
    ['\\boxed{}', ''],
    ['The answer is 5.', undefined],
    ['', undefined],
  ];
  rule(PROTOCOLS.math500, 'last-boxed', BOXED);
  rule(PROTOCOLS.math500, 'boxed-or-math', [
    ...BOXED.slice(0, -2),
    ['so \\[ x = 5 \\] and $6$', 'x = 5'],
    ['from $a$ follows $b$', 'a$ follows $b'],
    ['5', '5'],
    ['', undefined],
  ]);
  same(PROTOCOLS.math500, [
    ['\\dfrac{3}{4}', '\\frac34', true],
    ['3/4', '\\tfrac{3}{4}', true],
    ['-3/4', '\\frac{-3}{4}', true],
    ['0.5', '\\frac{1}{2}', true],
    ['.25', '0.25', true],
    ['\\frac1{72}', '\\frac{1}{72}', true],
    ['\\sqrt3', '\\sqrt{3}', true],
    ['2 \\sqrt 3', '2\\sqrt{3}', true],
    ['\\left( 1, 2 \\right)', '(1,2)', true],
    ['90^\\circ', '90', true],
    ['90^{\\circ}', '90^\\circ', true],
    ['50\\%', '50', true],
    ['50%', '50', true],
    ['\\$12', '12', true],
    ['12\\text{ cm}', '12', true],
    ['x = 5', '5', true],
    ['x=5=y', '5', false],
    ['10,\\!080', '10,080', true],
    ['10080', '10,080', false],
    ['\\text{east}', 'east', false], // as published: only units are dropped
    ['\\frac{2}{4}', '\\frac{1}{2}', false], // texts are compared, not values
    ['01/2', '\\frac{01}{2}', false],
    ['5\\text{ m}2\\text{ s}', '5\\text{ m}2\\text{ s}', true],
    ['', '0', false],
  ]);

  test('normalising twice changes nothing', () => {
    for (const text of ['\\dfrac12', '3/4', '.5', 'x = \\sqrt2', '\\frac1{72}', '5\\text{ m}', '{.5}'])
      expect(normalise(normalise(text))).toBe(normalise(text));
  });

  test('a hostile text takes no time to speak of', () => {
    const deep = '{'.repeat(200_000);
    expect(lastBoxed(`\\boxed${deep}`)).toBeUndefined();
    expect(lastBoxed('\\boxed'.repeat(50_000))).toBeUndefined();
    expect(normalise(' ='.repeat(50_000)).length).toBe(50_000);
  });
});

test('every protocol takes each of its own references for right', () => {
  const GOLD = { numbers: '7', letters: 'B', boxed: '\\frac{1}{2}' };
  for (const [name, protocol] of Object.entries(PROTOCOLS) as [string, Protocol][]) {
    const gold = [...Object.values(GOLD), 'true', 'solution1', 'answer2', 'ending3', 'option2'].find(
      field => protocol.gold(field) !== undefined,
    );
    expect([name, protocol.same(protocol.gold(gold!)!, protocol.gold(gold!)!)]).toEqual([name, true]);
    expect(Object.keys(protocol.rules)).toContain(defaultRule(protocol));
  }
});
