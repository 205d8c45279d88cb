/** The whole line through the real program on a tiny random model: compile, train, eval, generate. */
import { afterAll, beforeAll, expect } from 'bun:test';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openSafetensors } from '../../src/model/safetensors.ts';
import { gpuTest } from '../gpu/harness.ts';
import { writeTinyData, writeTinyModel } from '../tiny-model.ts';
import { mos } from './run.ts';

/** The line this project began with. */
const LINE = 'adapter q_proj < experts: hyperbolic(c=learn), sphere, euclid; router: top2 >';

let folder: string;
const path = (name: string) => join(folder, name);
const rows = (name: string) =>
  readFileSync(path(name), 'utf8')
    .trim()
    .split('\n')
    .map(line => JSON.parse(line));

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'mos-line-'));
  writeTinyModel(path('model'));
  writeTinyData(path('data.jsonl'));
  writeFileSync(path('line.mos'), LINE);
  writeFileSync(
    path('full.mos'),
    `model "model" < >
${LINE}
data "data.jsonl" < length: 16; validation: 10% >
train < steps: 6; batch: 2; accumulate: 2; lr: 1e-2; log: 2 >
eval sums: on "data.jsonl" < max_tokens: 4; limit: 5; batch: 2 >
`,
  );
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const given = () => ['--model', path('model'), '--data', path('data.jsonl'), '--batch', '2'];

gpuTest('the one-line program trains with model and data from the command line', async () => {
  const { code, stderr, stdout } = await mos([
    'train',
    path('line.mos'),
    ...given(),
    '--steps',
    '2',
    '--out',
    path('line'),
    '--json',
  ]);
  expect({ code, stderr: code === 0 ? '' : stderr }).toEqual({ code: 0, stderr: '' });
  const result = JSON.parse(stdout);
  expect(result).toMatchObject({ steps: 2, stopped: false });
  expect(result.loss).toBeGreaterThan(0);
  const file = openSafetensors(path('line/adapter/adapter.safetensors'));
  expect([...file.tensors.keys()].filter(name => name.startsWith('model.layers.0.')).sort()).toEqual(
    [
      'experts.0.A',
      'experts.0.B',
      'experts.0.curvature',
      'experts.1.A',
      'experts.1.B',
      'experts.1.curvature',
      'experts.2.A',
      'experts.2.B',
      'router',
    ].map(name => `model.layers.0.self_attn.q_proj.${name}`),
  );
  expect(file.readF32('model.layers.0.self_attn.q_proj.experts.0.B').some(v => v !== 0)).toBe(true);
  file.close();
});

gpuTest(
  'compile, train on the plan, evaluate and generate',
  async () => {
    const compiled = await mos(['compile', path('full.mos'), '--out', path('full')]);
    expect(compiled.stderr).toBe('');
    expect(compiled.stdout).toMatch(/2 modules: self_attn\.q_proj in layers 0-1/);
    expect(compiled.stdout).toMatch(/trainable parameters: [\d,]+/);
    expect(compiled.stdout).toMatch(/training step of 64 tokens: \d+ dispatches/);

    const plan = path('full/full.mosplan');
    const trained = await mos(['train', plan, '--eval', '--out', path('full')]);
    expect({ code: trained.code, stderr: trained.code === 0 ? '' : trained.stderr }).toEqual({
      code: 0,
      stderr: '',
    });
    expect(trained.stderr).toMatch(/train 6\/6 {2}loss \d/);
    expect(trained.stdout).toMatch(/sums: \d\/5 .* before, \d\/5 .* after/);

    const log = rows('full/log.jsonl');
    const steps = log.filter(row => row.type === 'step');
    expect(steps.map(row => row.step)).toEqual([1, 2, 3, 4, 5, 6]);
    expect(log.map(row => row.type)).toContain('validation');
    const routers = steps.filter(row => row.routers);
    expect(routers.map(row => row.step)).toEqual([2, 4, 6]);
    for (const { routers: sites } of routers) {
      expect(sites).toHaveLength(2);
      for (const site of sites) {
        expect(site.share.reduce((a: number, b: number) => a + b)).toBeCloseTo(1, 5);
        expect(site.gate.reduce((a: number, b: number) => a + b)).toBeCloseTo(1, 5);
        expect(site.entropy).toBeGreaterThan(0);
        expect(site.guarded).toBeGreaterThanOrEqual(0);
        expect(JSON.stringify(site)).toContain('curvature');
      }
    }

    const evaluated = await mos(['eval', plan, '--out', path('full'), '--json']);
    const { evaluations } = JSON.parse(evaluated.stdout);
    expect(evaluations.map((e: { adapter: boolean }) => e.adapter)).toEqual([false, true]);
    expect(rows('full/answers.jsonl')).toHaveLength(10);

    const ask = (prompts: string[], ...more: string[]) =>
      mos([
        'generate',
        plan,
        ...prompts.flatMap(text => ['--prompt', text]),
        ...['--raw', '--max-tokens', '4', '--out', path('full'), ...more],
      ]);
    const on = await ask(['1+2=', '3+44='], '--json');
    const off = await ask(['1+2=', '3+44='], '--off', '--json');
    expect([on.code, off.code]).toEqual([0, 0]);
    expect(JSON.parse(on.stdout).answers).toHaveLength(2);
    const alone = await ask(['3+44=']);
    expect(alone.stdout.trimEnd()).toBe(JSON.parse(on.stdout).answers[1].text.trimEnd());
  },
  300_000,
);

gpuTest(
  'stopping early leaves the schedule as it is',
  async () => {
    const args = ['train', path('line.mos'), ...given(), '--seed', '3'];
    await mos([...args, '--steps', '1', '--out', path('short')]);
    await mos([...args, '--steps', '3', '--out', path('long')]);
    const rates = (name: string) =>
      rows(name)
        .filter(row => row.type === 'step')
        .map(row => row.learning_rate);
    expect(rates('short/log.jsonl')).toEqual(rates('long/log.jsonl').slice(0, 1));
    expect(rates('long/log.jsonl')[2]).toBeGreaterThan(rates('long/log.jsonl')[0]);
  },
  300_000,
);
