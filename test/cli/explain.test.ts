/** `mos explain`: a file with its defaults and modules, or the page of a code. */
import { expect, test } from 'bun:test';
import { check } from '../../dsl/index.ts';
import { mos } from './run.ts';

test('a file: defaults, and the modules of each adapter', async () => {
  const { code, stdout, stderr } = await mos(['explain', 'examples/tiny.mos']);
  expect([code, stderr]).toEqual([0, '']);
  expect(stdout).toContain('// matches 30 modules\n//   self_attn.q_proj in layers 0..5\n');
  expect(stdout).toContain('dropout: 0');
  expect(check('tiny.mos', stdout).diagnostics).toEqual([]);
});

test('a code of each catalogue; --json', async () => {
  const [language, compiler, run, json] = await Promise.all([
    mos(['explain', 'unknown-space']),
    mos(['explain', 'rank-too-large']),
    mos(['explain', 'no-gpu']),
    mos(['explain', 'no-gpu', '--json']),
  ]);
  expect([language, compiler, run, json].map(each => each.code)).toEqual([0, 0, 0, 0]);
  expect(language.stdout).toContain('Right:\n\n    adapter q_proj < experts: sphere, euclid >');
  expect(compiler.stdout).toStartWith('error[rank-too-large]\n\n');
  expect(run.stdout).toContain('Run `mos devices`');
  expect(JSON.parse(json.stdout)).toMatchObject({ version: 1, code: 'no-gpu', phase: 'run' });
});

test('mistakes', async () => {
  const [code, file] = await Promise.all([mos(['explain', 'unknown-spce']), mos(['explain', 'none.mos'])]);
  expect([code.code, file.code]).toEqual([1, 1]);
  expect(code.stderr).toContain('help: did you mean `unknown-space`?');
  expect(file.stderr).toContain('error[file-not-found]');
});
