import { expect, test } from 'bun:test';
import { unroll } from '../../kernels/unroll.ts';

test('marked loops are written out, inner ones too, with values for counters', () => {
  const wgsl = [
    'const SIZE: u32 = 8u;',
    'const HALF = (SIZE + 3u) / 4u * 1u;',
    '  for (var i = 0u; i < HALF; i++) { // @unroll',
    '    for (var j = 0u; j < 2u; j++) { // @unroll',
    '      a[i + j] = wi;',
    '    }',
    '  }',
    '  for (var i = 0u; i < HALF; i++) { b[i] = 0u; }',
  ].join('\n');
  const text = unroll(wgsl);
  expect(text.match(/a\[\du \+ \du\] = wi;/g)).toEqual([
    'a[0u + 0u] = wi;',
    'a[0u + 1u] = wi;',
    'a[1u + 0u] = wi;',
    'a[1u + 1u] = wi;',
  ]);
  expect(text).toContain('for (var i = 0u; i < HALF; i++) { b[i] = 0u; }');
});

test('a bound that is no constant is refused', () => {
  expect(() => unroll('for (var i = 0u; i < rows; i++) { // @unroll\n}')).toThrow('rows');
});
