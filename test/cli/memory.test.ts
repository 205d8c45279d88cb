/** `--memory`: what does not fit is refused before anything is loaded, with the setting that would make it fit. */
import { expect, test } from 'bun:test';
import { compile } from '../../compiler/index.ts';
import { bytesOption, checkMemory, peakOf, type Uses, withAdvice } from '../../src/cli/memory.ts';
import { Fault, fault } from '../../src/report/fault.ts';
import { programOf, SMALL } from '../run/small.ts';

const program = programOf({ adapters: 'adapter q_proj < rank: 4; experts: euclid >' });
const { plan } = compile(program, SMALL).compiled!;
const needed = peakOf(plan, 'training');

function answer(available: number, use: Uses = 'training') {
  try {
    checkMemory({ program, shape: SMALL, use }, peakOf(plan, use), available);
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
  expect(told?.message).toMatch(/^training needs [\d.]+ MiB of GPU memory, and [\d.]+ MiB are there$/);
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

test('generation is measured by what it needs, and told what helps it', () => {
  const use = 'generation';
  expect(peakOf(plan, use)).toBeLessThan(needed);
  expect(answer(peakOf(plan, use), use)).toBeUndefined();
  const told = answer(peakOf(plan, use) - 1, use);
  expect(told?.message).toStartWith('generation needs');
  expect(told?.notes?.join()).toContain('`dtype: f16` in `model`');
  expect(told?.notes?.join()).not.toContain('recompute');
  expect(peakOf(plan, 'both')).toBeGreaterThanOrEqual(needed);
});

test('a device that turns out too small: what other settings need', () => {
  const wanted = () => ({ program, shape: SMALL, use: 'training' as const });
  const [full] = withAdvice([fault('gpu-out-of-memory', 'no').diagnostics[0]], wanted);
  expect(full.notes?.[0]).toMatch(/^`recompute: layer` in `train` needs [\d.]+ MiB$/);
  const [limit] = withAdvice([fault('gpu-limit', 'no', { notes: ['why'] }).diagnostics[0]], wanted);
  expect(limit.notes).toEqual(['why', "`--portable` needs no more than WebGPU's default limits"]);
  const other = [fault('gpu-lost', 'no').diagnostics[0]];
  expect(withAdvice(other, wanted)).toBe(other);
});

test('sizes have units', () => {
  expect(bytesOption('memory', '8GiB')).toBe(8 * 2 ** 30);
  expect(bytesOption('memory', '1.5 gb')).toBe(1.5e9);
  expect(() => bytesOption('memory', '8')).toThrow('needs a size with its unit');
});
