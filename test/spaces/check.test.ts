/** What is said of a declared space that does not hold what a space must, and where. */
import { describe, expect, test } from 'bun:test';
import { readFileSync } from 'node:fs';
import { checkSpaces } from '../../compiler/spaces/check.ts';
import { emitSpaces } from '../../compiler/spaces/emit.ts';
import { radialSpace } from '../../compiler/spaces/radial.ts';
import { librarySpaces } from '../../dsl/library/index.ts';
import { definitionOf, programOf } from './space.ts';

const told = (text: string): string[] =>
  checkSpaces(programOf(text)).map(
    ({ code, severity, span, message }) => `${severity} ${code} ${span?.line}:${span?.column} ${message}`,
  );
const space = (lift: string, drop: string, params = 'c: positive = learn', use = 's') =>
  `space s(${params}) <\n  lift(r) = ${lift};\n  drop(r) = ${drop}\n>\nadapter q_proj < experts: ${use}, euclid >`;

describe('mistakes', () => {
  const cases: [text: string, ...expected: string[]][] = [
    [space('r', 'r + 0.0016'), 'error space-origin 3:13 drop(0) is 0.0016 for c = 0.1, must be 0'],
    [space('exp(c*r) / c', 'r'), 'error space-origin 2:13 lift(0) is 10 for c = 0.1, must be 0'],
    [
      space('r^2', 'r'),
      'error space-slope 2:13 the slope of `lift` at 0 is 0 for c = 0.1, must be finite and not 0',
    ],
    [space('sqrt(r)', 'r'), 'error space-slope 1:7 `s`: its slope at 0 is infinite'],
    [
      space('r', 'asin(c*r)'),
      'error space-hole 3:13 `drop` is undefined at r = 10.4 for c = 0.1: asin of 1.04',
    ],
    [
      space('log(1 - c*r)', 'r'),
      'error space-hole 2:13 `lift` is undefined at r = 10.4 for c = 0.1: log of -0.0371',
    ],
    [
      space('r / (1 - r)^0', 'sqrt(1 + r) - 1 - r*sqrt(r - 2)'),
      'error space-hole 3:33 `drop` is undefined at r = 0.00000104 for c = 0.1: sqrt of -2',
    ],
    [
      space('1 / (r - r)', 'r'),
      'error space-hole 2:17 `lift` is undefined at r = 0.00000104 for c = 0.1: it divides by 0',
    ],
    [
      space('r / sqrt(1 + k*r^2)', 'r', 'k: real = learn'),
      'error space-hole 2:17 `lift` is undefined at r = 1.84 for k = -0.3: sqrt of -0.0204',
    ],
    [
      space('r', '2*r'),
      'warning space-inverse 1:7 `drop` is not the inverse of `lift`: it takes lift(0.00104) to 0.00207 for c = 0.1',
    ],
    [
      space('log(1 + c*r) / c', '(exp(c*r) - 1) / c'),
      'warning space-overflow 3:13 `drop` overflows float32 from about r = 13.8 for c = 7 on',
    ],
    [
      space('r / (1 + exp(r))', 'r'),
      'error space-gradient 2:13 the gradient of `lift` is not finite at r = 778 for c = 0.1',
    ],
    [
      space('(exp(r) - 1 - r - r^2/2) / r^2 + r', 'r'),
      'error space-unsupported 1:7 `s`: too many of its parts vanish at 0 at once',
    ],
    // Bounds, and what experts fix, are the parameters there are.
    [space('r / sqrt(1 + k*r^2)', 'r / sqrt(max(1 - k*r^2, 0.001))', 'k: real = learn(init=0.1, min=0)')],
    [space('asinh(c*r)', 'sinh(min(c*r, 20)) / c^2', 'c: positive', 's(c=1)')],
    [
      space('r', 'asin(c*min(r, 0.9))', 'c: positive', 's(c=1)'),
      'warning space-inverse 1:7 `drop` is not the inverse of `lift`: it takes lift(0.778) to 0.891 for c = 1',
    ],
  ];
  for (const [text, ...expected] of cases) {
    test(expected[0] ?? 'none', () => expect(told(text)).toEqual(expected));
  }
});

describe('what is right', () => {
  for (const name of ['horn', 'hyplora', 'ball', 'gnomon']) {
    test(name, () => {
      const text = readFileSync(new URL(`../../examples/spaces/${name}.mos`, import.meta.url), 'utf8');
      expect(told(`${text}\nadapter q_proj < experts: ${name}, euclid >`)).toEqual([]);
    });
  }
});

test('the same text every time, whatever was compiled before', () => {
  const text = readFileSync(new URL('../../examples/spaces/ball.mos', import.meta.url), 'utf8');
  const emit = () => emitSpaces([radialSpace(definitionOf(text))]);
  const first = emit();
  for (const definition of librarySpaces().values()) radialSpace(definition);
  expect(emit()).toBe(first);
  expect(first).not.toMatch(/NaN|Infinity|undefined/);
});
