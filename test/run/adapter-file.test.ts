/** Adapter files: what is saved comes back, what does not fit is named, and the configuration says what was trained. */
import { afterAll, describe, expect, test } from 'bun:test';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openSafetensors, type TensorData, writeSafetensors } from '../../src/model/safetensors.ts';
import { type AdapterOrigin, loadAdapter, saveAdapter } from '../../src/run/adapter-file.ts';
import { faultOf as endOf } from '../fault-of.ts';
import { compileSmall, EVERYTHING, randomParameters } from './small.ts';

const root = mkdtempSync(join(tmpdir(), 'mos-adapter-'));
afterAll(() => rmSync(root, { recursive: true }));

const { plan } = compileSmall({ ...EVERYTHING, train: 'seed: 9' });
const flat = randomParameters(plan, 3);
const origin: AdapterOrigin = { step: 12, base: 'b'.repeat(64), data: 'd'.repeat(64), seed: 9, exact: true };
const saved = join(root, 'saved');
saveAdapter(saved, plan, flat, origin);

/** A copy of the saved adapter with its tensors edited. */
function edited(name: string, edit: (tensors: Map<string, TensorData>) => void): string {
  const folder = join(root, name);
  saveAdapter(folder, plan, flat, origin);
  const path = join(folder, 'adapter.safetensors');
  const file = openSafetensors(path);
  const tensors = new Map<string, TensorData>(
    [...file.tensors.keys()].map(key => [
      key,
      { dtype: 'F32', shape: file.tensor(key).shape, data: file.readF32(key) },
    ]),
  );
  file.close();
  edit(tensors);
  writeSafetensors(path, tensors);
  return folder;
}

const faultOf = (folder: string): string => endOf(() => loadAdapter(folder, plan));

const A = 'model.layers.0.self_attn.q_proj.experts.0.A';

test('what is saved comes back, to the bit', () => {
  expect(loadAdapter(saved, plan)).toEqual(flat);
  expect(faultOf(edited('same', () => {}))).toBe('ok');
});

describe('an adapter of another plan', () => {
  test('lacks a tensor', () => {
    expect(faultOf(edited('missing', t => t.delete(A)))).toMatch(
      /^adapter-mismatch: .* has no tensor `model\.layers\.0\.self_attn\.q_proj\.experts\.0\.A`/,
    );
  });

  test('has one more', () => {
    const extra: TensorData = { dtype: 'F32', shape: [1], data: new Float32Array(1) };
    expect(faultOf(edited('extra', t => t.set('stranger', extra)))).toMatch(
      /^adapter-mismatch: .*`stranger`/,
    );
  });

  test('has one of another shape, even of the same size', () => {
    const reshape = (name: string, shape: number[]) =>
      faultOf(
        edited(name, t =>
          t.set(A, { dtype: 'F32', shape, data: new Float32Array(shape.reduce((a, b) => a * b, 1)) }),
        ),
      );
    expect(reshape('larger', [5, 32])).toMatch(/^adapter-mismatch: .*q_proj\.experts\.0\.A/);
    expect(reshape('transposed', [32, 4])).toMatch(/^adapter-mismatch: .* 32×4 where the plan expects 4×32/);
    expect(reshape('flat', [128])).toMatch(/^adapter-mismatch/);
  });

  test('is no adapter at all', () => {
    expect(faultOf(join(root, 'nowhere'))).toMatch(/^file-not-found/);
  });
});

test('the configuration says everything about spaces, ranks, scales, routers and origin', () => {
  const config = JSON.parse(readFileSync(join(saved, 'adapter_config.json'), 'utf8'));
  expect(config).toMatchObject({
    format: 'mos-adapter',
    version: 0,
    base_model: 'm',
    adapters: ['default', 'math'],
    trained: origin,
    training: { seed: 9, steps: 20 },
    data: { length: 32 },
  });
  const site = (module: string, adapter = 'default') =>
    config.sites.find(
      (s: { module: string; adapter: string }) => s.module.endsWith(module) && s.adapter === adapter,
    );
  expect(site('0.self_attn.q_proj')).toMatchObject({
    layer: 0,
    topK: 2,
    aux: 0.5,
    z: 0.1,
    gate: 'renorm',
    routes: 'input',
    experts: [
      {
        space: 'hyperbolic',
        map: 'stereo',
        rank: 4,
        scale: 3,
        sign: -1,
        parameters: [{ name: 'c', stored: 'log', learned: true }],
      },
      {
        space: 'sphere',
        map: 'exp',
        rank: 3,
        scale: 4,
        sign: 1,
        parameters: [{ name: 'c', stored: 'log', learned: true }],
      },
      { space: 'euclid', parameters: [], rank: 2, scale: 6 },
    ],
  });
  expect(site('0.mlp.gate_proj')).toMatchObject({ topK: 2, gate: 'softmax', routes: 'rank' });
  const scale = site('1.self_attn.o_proj', 'math').experts[0].scale;
  expect(scale).toBeCloseTo(4 / Math.sqrt(3), 12);
  // every tensor of the file belongs to a site that is listed
  const file = openSafetensors(join(saved, 'adapter.safetensors'));
  const modules = config.sites.map((s: { module: string }) => s.module);
  for (const name of file.tensors.keys())
    expect(modules.some((m: string) => name.startsWith(`${m}.`))).toBe(true);
  file.close();
});
