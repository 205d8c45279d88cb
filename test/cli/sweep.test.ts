/** Sweeps through the real program on a tiny random model: plans, runs one after another, the table, a second call. */
import { afterAll, beforeAll, expect, test } from 'bun:test';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { resultsMarkdown, resultsText } from '../../src/cli/sweep-results.ts';
import { gpuTest } from '../gpu/harness.ts';
import { writeTinyData, writeTinyModel } from '../tiny-model.ts';
import { mos } from './run.ts';

let folder: string;
const path = (name: string) => join(folder, name);
const read = (name: string) => readFileSync(path(name), 'utf8');

const program = (sweep: string) => `model "model" < dtype: f32 >
adapter q_proj < rank: 2; experts: euclid >
data "data.jsonl" < length: 16 >
train < batch: 2; steps: 4 >
eval sums: on "data.jsonl" < max_tokens: 2; limit: 2; batch: 2 >
${sweep}
`;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'mos-sweep-'));
  writeTinyModel(path('model'));
  writeTinyData(path('data.jsonl'));
  writeFileSync(path('seeds.mos'), program('sweep < data.path: ["gone.jsonl", "data.jsonl"]; seed: 1..2 >'));
  writeFileSync(path('one.mos'), program(''));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const BROKEN = ['data.path=gone.jsonl,seed=1', 'data.path=gone.jsonl,seed=2'];
const WHOLE = ['data.path=data.jsonl,seed=1', 'data.path=data.jsonl,seed=2'];

test('compile: a plan and a line for every variant', async () => {
  const { code, stdout, stderr } = await mos(['compile', path('seeds.mos'), '--out', path('plans')]);
  expect([code, stderr]).toEqual([0, '']);
  for (const name of [...BROKEN, ...WHOLE]) {
    expect(stdout).toContain(name);
    expect(existsSync(path(`plans/${name}/seeds.mosplan/plan.json`))).toBe(true);
  }
  expect(stdout).toContain('4 of 4 plans');
  expect(readdirSync(path('plans')).sort()).toEqual([...BROKEN, ...WHOLE].sort());
});

test('a variant whose model is missing does not stop the others from compiling', async () => {
  writeFileSync(path('models.mos'), program('sweep < model.path: ["nowhere", "model"] >'));
  const { code, stdout, stderr } = await mos([
    'compile',
    path('models.mos'),
    '--out',
    path('models'),
    '--json',
  ]);
  expect(code).toBe(1);
  expect(stderr).toContain('there is no model folder `nowhere`');
  const { variants } = JSON.parse(stdout);
  expect(variants).toMatchObject([
    { problem: 'there is no model folder `nowhere`' },
    { name: 'model.path=model' },
  ]);
});

test('--dry-run lists, --only selects, and both say when there is nothing to list or select', async () => {
  const run = (...args: string[]) => mos(['train', ...args, '--out', path('dry')]);
  const [all, some, none, plain, twice] = await Promise.all([
    run(path('seeds.mos'), '--dry-run'),
    run(path('seeds.mos'), '--dry-run', '--only', 'seed=2', '--json'),
    run(path('seeds.mos'), '--only', 'seed=3'),
    run(path('one.mos'), '--only', 'seed=1'),
    run(path('seeds.mos'), '--seed', '3'),
  ]);
  expect([twice.code, twice.stderr]).toEqual([1, expect.stringContaining('the sweep over `seed`')]);
  expect([all.code, all.stdout.trim().split('\n')]).toEqual([0, [...BROKEN, ...WHOLE]]);
  expect(JSON.parse(some.stdout).variants).toMatchObject([
    { name: BROKEN[1], state: 'pending' },
    {
      name: WHOLE[1],
      settings: [
        { field: 'data.path', value: '"data.jsonl"' },
        { field: 'seed', value: '2' },
      ],
    },
  ]);
  expect([none.code, none.stderr]).toEqual([
    1,
    expect.stringContaining('`--only` selects none of 4 variants'),
  ]);
  expect([plain.code, plain.stderr]).toEqual([1, expect.stringContaining('is for a file with a `sweep`')]);
  expect(existsSync(path('dry'))).toBe(false);
});

test('commands that take one program say that there are several', async () => {
  const { code, stderr } = await mos(['eval', path('seeds.mos'), '--out', path('eval')]);
  expect([code, stderr]).toEqual([1, expect.stringContaining('error[several-programs]')]);
});

gpuTest(
  'train: a broken variant stops no other, and what finished is not run again',
  async () => {
    const args = ['train', path('seeds.mos'), '--out', path('out'), '--steps', '1', '--eval'];
    const first = await mos([...args, '--only', 'seed=1', '--json']);
    expect(first.code, first.stderr).toBe(1);
    expect(JSON.parse(first.stdout).variants).toMatchObject([
      { name: BROKEN[0], state: 'failed', problem: expect.stringContaining('gone.jsonl') },
      { name: WHOLE[0], state: 'done', steps: 1, evaluations: [{ name: 'sums', after: { total: 2 } }] },
    ]);
    const result = read(`out/${WHOLE[0]}/result.json`);

    // All of it: the one that finished stays as it is, though the file has changed around it.
    writeFileSync(path('seeds.mos'), `// seeds\n${read('seeds.mos')}`);
    const second = await mos(args);
    expect(second.code, second.stderr).toBe(1);
    expect(second.stderr).toContain(`[3/4] ${WHOLE[0]}: done before`);
    expect(second.stderr).toContain(`[4/4] ${WHOLE[1]}\n`);
    expect(read(`out/${WHOLE[0]}/result.json`)).toBe(result);
    const [header, ...rows] = second.stdout.split('\n');
    expect(header).toMatch(/^data\.path +seed +loss +validation +sums +seconds +problem$/);
    expect(rows[0]).toMatch(/^"gone\.jsonl" +1 +– +– +– +– .*does not exist$/);
    expect(rows[3]).toMatch(/^"data\.jsonl" +2 +\d+\.\d{4} +\d+\.\d{4} +\d\/2 \(\d+\.0 %\) +\d+ +–$/);
    expect(read('out/results.md').split('\n')[2]).toMatch(/^\| "gone\.jsonl" \| 1 \|/);
    expect(
      JSON.parse(read('out/results.json')).variants.map(({ state }: { state: string }) => state),
    ).toEqual(['failed', 'failed', 'done', 'done']);

    // Nothing left to do: no worker is started.
    const third = await mos([...args, '--only', 'data.path=data*', '--json']);
    expect(third.code, third.stderr).toBe(0);
    expect(third.stderr).not.toContain('train 1/1');
  },
  240_000,
);

gpuTest(
  'Ctrl-C stops the whole sweep; the table says what is left',
  async () => {
    let sent = false;
    const { code, stdout, stderr } = await mos(
      ['train', path('seeds.mos'), '--out', path('stopped'), '--only', 'data.path=data*'],
      {
        onStderr(soFar, child) {
          if (sent || !/train 1\/4/.test(soFar)) return;
          sent = true;
          child.kill('SIGINT');
        },
      },
    );
    expect(code, stderr).toBe(130);
    expect(stderr).not.toContain('[2/2]');
    expect(stdout.match(/not run to its end/g)).toHaveLength(2);

    // The same command goes on where the first variant was stopped.
    const again = await mos([
      'train',
      path('seeds.mos'),
      '--out',
      path('stopped'),
      '--only',
      'data.path=data*,seed=1',
    ]);
    expect(again.code, again.stderr).toBe(0);
    expect(again.stderr).not.toContain('train 1/4');
    expect(again.stderr).toContain('train 4/4');
  },
  180_000,
);

test('a table leaves out empty columns and keeps Markdown whole', () => {
  const rows = [
    { name: 'a', settings: [{ field: 'x', value: 'a|b' }], state: 'pending' as const },
    { name: 'b', settings: [{ field: 'y', value: '1' }], state: 'failed' as const, problem: 'no\nroom' },
  ];
  expect(resultsMarkdown(rows)).toBe(
    '| x | y | problem |\n| --- | --- | --- |\n| a\\|b | – | not run to its end |\n| – | 1 | no room |\n',
  );
  expect(resultsText(rows)).toContain('a|b  –');
});
