/** The program as one file: built from a copy that is gone when it runs, so that everything it needs is inside. */
import { expect, test } from 'bun:test';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { writeTinyData, writeTinyModel } from '../tiny-model.ts';
import { copyOfSources, temporaryFolder } from './project.ts';

const folder = temporaryFolder('single');
const mos = join(folder, 'mos');

function run(...args: string[]): { code: number; out: string; error: string } {
  const { exitCode, stdout, stderr } = Bun.spawnSync([mos, ...args], {
    cwd: folder,
    // Nothing of this machine's set-up: the software GPU is unpacked from the file into a cache of its own.
    env: { PATH: process.env.PATH ?? '', HOME: folder, XDG_CACHE_HOME: join(folder, 'cache'), NO_COLOR: '1' },
  });
  return { code: exitCode, out: stdout.toString(), error: stderr.toString() };
}

test('it is built', () => {
  const sources = copyOfSources();
  const built = Bun.spawnSync([process.execPath, join(sources, 'src/cli/single-file/build.ts'), mos], {
    cwd: folder,
  });
  expect([built.exitCode, built.stderr.toString()]).toEqual([0, '']);
  rmSync(sources, { recursive: true });
});

test('it checks, compiles and trains', () => {
  writeTinyModel(join(folder, 'model'));
  writeTinyData(join(folder, 'data.jsonl'));
  writeFileSync(
    join(folder, 'tiny.mos'),
    'model "model" < >\nadapter q_proj < rank: 2 >\ndata "data.jsonl" < length: 16 >\ntrain < steps: 2; batch: 2 >\n',
  );
  expect(run('check', 'tiny.mos')).toMatchObject({ code: 0 });
  expect(run('compile', 'tiny.mos', '--out', 'out')).toMatchObject({ code: 0 });
  expect(existsSync(join(folder, 'out/tiny.mosplan/plan.json'))).toBe(true);
  const { code, out, error } = run('train', 'out/tiny.mosplan', '--out', 'out', '--json');
  expect([code, code === 0 ? '' : error]).toEqual([0, '']);
  expect(JSON.parse(out)).toMatchObject({ version: 1, steps: 2, stopped: false });
  expect(readFileSync(join(folder, 'out/log.jsonl'), 'utf8').split('\n').length).toBeGreaterThan(3);
});
