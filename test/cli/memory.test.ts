/** `--memory`: what does not fit is refused before anything is loaded, with the setting that would make it fit. */
import { expect, test } from 'bun:test';
import { compile } from '../../compiler/index.ts';
import { bytesOption, checkMemory } from '../../src/cli/memory.ts';
import { Fault } from '../../src/report/fault.ts';
import { programOf, SMALL } from '../run/small.ts';

const program = programOf({ adapters: 'adapter q_proj < rank: 4; experts: euclid >' });
const needed = compile(program, SMALL).compiled!.plan.requires.bytes;

function answer(available: number) {
  try {
    checkMemory(program, SMALL, needed, available);
  } catch (error) {
    if (error instanceof Fault) return error.diagnostics[0];
    throw error;
  }
  return undefined;
}

test('what fits is not spoken of', () => {
  expect(answer(needed)).toBeUndefined();
});

test('a little too large: the gentlest setting that fits, and what each would need', () => {
  const told = answer(needed - 1);
  expect(told?.code).toBe('not-enough-memory');
  expect(told?.message).toMatch(/^the plan needs [\d.]+ MiB of GPU memory, and [\d.]+ MiB are there$/);
  expect(told?.help).toBe('write `recompute: layer` in `train`');
  expect(told?.notes?.map(note => note.replace(/ needs .*/, ''))).toEqual([
    '`recompute: layer` in `train`',
    '`batch: 3; accumulate: 2` in `train`',
    '`dtype: f16` in `model`',
  ]);
});

test('hopeless: says so', () => {
  expect(answer(1000)?.help).toMatch(
    /^even `recompute: layer` in `train`, `batch: 1; accumulate: 8` in `train`, `dtype: nf4` in `model` need .* use a smaller base model$/,
  );
});

test('sizes have units', () => {
  expect(bytesOption('memory', '8GiB')).toBe(8 * 2 ** 30);
  expect(bytesOption('memory', '1.5 gb')).toBe(1.5e9);
  expect(() => bytesOption('memory', '8')).toThrow('needs a size with its unit');
});
