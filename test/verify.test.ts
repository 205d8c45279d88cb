/** The golden arrays, computed on the manifolds themselves in float64, through compiler, plan and executor. */
import { afterAll, expect, test } from 'bun:test';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openSafetensors, type TensorData, writeSafetensors } from '../src/model/safetensors.ts';
import { verify } from '../src/verify/index.ts';
import { Comparison, passes, table } from '../src/verify/report.ts';
import { gpuTest } from './gpu/harness.ts';

const GOLDEN = join(import.meta.dir, 'golden');
const MODELS = join(import.meta.dir, '../examples/models');
const root = mkdtempSync(join(tmpdir(), 'mos-verify-'));
afterAll(() => rmSync(root, { recursive: true }));

/** Puts a second `switch_top1` into a copy of the cases: its gates and one gradient are off by a thousandth. */
function damaged(): string {
  const folder = join(root, 'golden');
  cpSync(GOLDEN, folder, { recursive: true });
  const cases = JSON.parse(readFileSync(join(folder, 'adapters/index.json'), 'utf8'));
  const original = cases.find((c: { name: string }) => c.name === 'switch_top1');
  const file = openSafetensors(join(GOLDEN, 'adapters/switch_top1.safetensors'));
  const tensors = new Map<string, TensorData>(
    [...file.tensors.keys()].map(name => [
      name,
      { dtype: 'F64', shape: file.tensor(name).shape, data: file.readF64(name) },
    ]),
  );
  file.close();
  for (const name of ['gates', 'grad.experts.0.A']) {
    const { data } = tensors.get(name)!;
    (data as Float64Array).forEach((v, i, all) => {
      all[i] = 1.001 * v;
    });
  }
  writeSafetensors(join(folder, 'adapters/damaged.safetensors'), tensors);
  writeFileSync(
    join(folder, 'adapters/index.json'),
    JSON.stringify([...cases, { ...original, name: 'damaged' }]),
  );
  return folder;
}

gpuTest(
  'every reference case holds, and only the damaged tensors fail',
  async () => {
    const rows = await verify(damaged(), MODELS);
    const failed = rows.filter(row => !passes(row));
    expect(failed.map(r => `${r.case} ${r.tensor}`).sort()).toEqual([
      'damaged gates',
      'damaged grad.experts.0.A',
    ]);
    const cases = new Set(rows.map(r => r.case));
    const expected = [
      'boundary',
      'exp_maps',
      'flat_start',
      'guards',
      'kappa_signs',
      'near_flat',
      'readme',
      'switch_top1',
      'llama_gqa',
      'qwen3_qknorm',
      'sharded',
      'train',
    ];
    for (const name of expected) expect(cases).toContain(name);
    // of the training: every step's loss, balance loss and norm, and where every tensor ended
    const training = rows.filter(r => r.case === 'train').map(r => r.tensor);
    for (const name of ['loss[7]', 'aux[7]', 'grad_norm[7]']) expect(training).toContain(name);
    expect(training.filter(name => name.startsWith('final.')).length).toBe(
      training.filter(name => name.includes('gradient.')).length,
    );
    expect(
      table(rows)
        .split('\n')
        .filter(line => line.endsWith('FAILED')),
    ).toHaveLength(2);
  },
  240_000,
);

test('a comparison fails on what is off, missing or not a number', () => {
  const comparison = new Comparison('x');
  const reference = [1, -2, 3, 0.5];
  comparison.check('same', reference, reference, 1e-5);
  comparison.check(
    'off',
    reference.map(v => 1.001 * v),
    reference,
    1e-5,
  );
  comparison.check('short', reference.slice(1), reference, 1e-5);
  comparison.check('NaN', [1, -2, Number.NaN, 0.5], reference, 1e-5);
  comparison.check('zero', [0, 2e-6], [0, 0], 1e-3);
  comparison.checkMoved('moved', [1.1], [2], [1], 0.5);
  expect(comparison.rows.map(r => [r.tensor, passes(r)])).toEqual([
    ['same', true],
    ['off', false],
    ['short', false],
    ['NaN', false],
    ['zero', false],
    ['moved', false],
  ]);
});
