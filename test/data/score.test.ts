/** The exact metric: extraction, comparison, interval. */
import { describe, expect, test } from 'bun:test';
import { extractAnswer, isExact, scoreExact, summarise } from '../../src/data/score.ts';

describe('extraction', () => {
  const CASES: [text: string, answer: string][] = [
    ['The answer is 9.', '9'],
    ['9 + 12 = 21. The answer is 21. The answer is 20.', '20'],
    ['so the answer is: April', 'April'],
    ['The answer is 3.5.', '3.5'],
    ['The answer is 3.5. And more.', '3.5'],
    ['The answer is 1,200\nNext line', '1,200'],
    ['The answer is\n yes.', 'yes'],
    ['The answer is', ''],
    ['  9\n', '9'],
    ['April. It is spring.', 'April'],
    ['', ''],
  ];
  for (const [text, answer] of CASES)
    test(JSON.stringify(text), () => expect(extractAnswer(text)).toBe(answer));
});

describe('comparison', () => {
  const CASES: [generated: string, reference: string, exact: boolean][] = [
    ['The answer is 1,200.', '1200', true],
    ['The answer is 20.0.', '20', true],
    ['The answer is 2.001', '2', true],
    ['The answer is 2.0011', '2', false],
    ['The answer is -5.', '5', false],
    ['The answer is .5', '0.50', true],
    ['The answer is APRIL.', 'April', true],
    ['The answer is May.', 'April', false],
    ['The answer is yes', 'no', false],
    ['', 'no', false],
    ['The answer is 9 apples.', '9', false],
    ['The answer is 0x10.', '16', false],
    ['The answer is Infinity.', 'infinity', true],
  ];
  for (const [generated, reference, exact] of CASES) {
    test(`${generated} / ${reference}`, () => expect(isExact(generated, reference)).toBe(exact));
  }
});

describe('interval', () => {
  test('known values', () => {
    // R: binom::binom.wilson(73, 100) and (5, 10).
    const a = summarise(73, 100);
    expect(a.low).toBeCloseTo(0.6356, 3);
    expect(a.high).toBeCloseTo(0.8073, 3);
    const b = summarise(5, 10);
    expect(b.low).toBeCloseTo(0.2366, 4);
    expect(b.high).toBeCloseTo(0.7634, 4);
  });

  test('the ends', () => {
    expect(summarise(0, 0)).toEqual({ correct: 0, total: 0, accuracy: 0, low: 0, high: 1 });
    expect(summarise(0, 10)).toMatchObject({ low: 0, high: expect.closeTo(0.2775, 4) });
    expect(summarise(10, 10)).toMatchObject({ low: expect.closeTo(0.7225, 4), high: 1 });
    expect(
      scoreExact([
        { generated: 'The answer is 1.', reference: '1' },
        { generated: '2', reference: '1' },
      ]),
    ).toMatchObject({
      correct: 1,
      total: 2,
    });
  });
});
