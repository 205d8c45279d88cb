/** A mistake of each kind, through the real program: one readable diagnostic, exit code 1, no stack trace. */
import { afterAll, beforeAll, expect, test } from 'bun:test';
import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openSafetensors, type TensorData, writeSafetensors } from '../../src/model/safetensors.ts';
import { writeTinyData, writeTinyModel } from '../tiny-model.ts';
import { mos, type Outcome } from './run.ts';

let folder: string;
const path = (name: string) => join(folder, name);

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'mos-mistakes-'));
  writeTinyModel(path('model'));
  writeTinyData(path('train.jsonl'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function program(adapter: string, model = 'model'): string {
  const file = path('program.mos');
  writeFileSync(
    file,
    `model "${model}" < >\n${adapter}\ndata "train.jsonl" < length: 32 >\ntrain < steps: 2; batch: 2 >\n`,
  );
  return file;
}

function expectMistake({ code, stderr, stdout }: Outcome, diagnostic: string, ...parts: string[]): void {
  expect(stderr).toContain(`error[${diagnostic}]`);
  for (const part of parts) expect(stderr).toContain(part);
  expect(stderr.match(/^error\[/gm)).toHaveLength(1);
  expect(stderr).not.toMatch(/^\s+at .*:\d+:\d+/m);
  expect(stdout).toBe('');
  expect(code).toBe(1);
}

test('an unknown space', async () => {
  const file = program('adapter q_proj < experts: sphrere, euclid >');
  expectMistake(await mos(['train', file]), 'unknown-space', 'program.mos:2:27', 'sphere');
});

test('an unknown module', async () => {
  const file = program('adapter q_porj < experts: sphere, euclid >');
  expectMistake(
    await mos(['train', file]),
    'no-module-matches',
    'program.mos:2:9',
    '`q_proj`',
    'self_attn.o_proj',
  );
});

test('a missing model folder', async () => {
  const file = program('adapter q_proj < experts: euclid >', 'modle');
  expectMistake(
    await mos(['compile', file, '--out', path('out')]),
    'model-not-found',
    'modle',
    'program.mos:1:',
  );
});

test('a missing weight file', async () => {
  cpSync(path('model'), path('headless'), { recursive: true });
  rmSync(path('headless/model.safetensors'));
  const file = program('adapter q_proj < experts: euclid >', 'headless');
  expectMistake(await mos(['train', file, '--out', path('out')]), 'file-not-found', 'model.safetensors');
});

test('a NaN in the weights', async () => {
  cpSync(path('model'), path('poisoned'), { recursive: true });
  const file = openSafetensors(path('model/model.safetensors'));
  const victim = 'model.layers.1.mlp.up_proj.weight';
  const tensors = new Map<string, TensorData>();
  for (const [name, { shape }] of file.tensors) {
    const data = file.readF32(name);
    if (name === victim) data[5] = Number.NaN;
    tensors.set(name, { dtype: 'F32', shape, data });
  }
  file.close();
  writeSafetensors(path('poisoned/model.safetensors'), tensors);
  const outcome = await mos([
    'train',
    program('adapter q_proj < experts: euclid >', 'poisoned'),
    '--out',
    path('out'),
  ]);
  expectMistake({ ...outcome, stderr: withoutNotice(outcome.stderr) }, 'not-finite-weights', victim, '1 NaN');
});

test('no GPU at all', async () => {
  // the loader then looks for drivers nowhere else
  const env = { VK_DRIVER_FILES: '/nonexistent.json', VK_ICD_FILENAMES: '/nonexistent.json' };
  const outcome = await mos(['train', program('adapter q_proj < experts: euclid >'), '--out', path('out')], {
    env,
  });
  expectMistake(outcome, 'no-gpu', 'tried');
});

test('missing training data', async () => {
  const file = program('adapter q_proj < experts: euclid >');
  rmSync(path('train.jsonl'));
  expectMistake(await mos(['train', file, '--out', path('out')]), 'file-not-found', 'train.jsonl');
  writeTinyData(path('train.jsonl'));
});

const withoutNotice = (text: string) => text.replace(/^no hardware GPU.*\n/m, '');
