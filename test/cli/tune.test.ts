/**
 * `mos tune` and `mos profile` on a plan with one choice between two kernels: what is measured, where it is written, and who
 * goes by it.
 */
import { afterAll, describe, expect, test } from 'bun:test';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sha256 } from '../../compiler/plan/hash.ts';
import type { Plan } from '../../compiler/plan/schema.ts';
import { readPlan, writePlan } from '../../src/run/plan-folder.ts';
import type { Profile } from '../../src/run/profile.ts';
import { deviceName, type Tuning } from '../../src/run/tuning-file.ts';
import { gpu, gpuTest } from '../gpu/harness.ts';
import { goldenAdapter } from '../runtime/write-cases.ts';
import { writeTinyRun } from '../tiny-model.ts';
import { mos } from './run.ts';

const folder = mkdtempSync(join(tmpdir(), 'mos-tune-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const path = (name: string) => join(folder, name);
const env = { XDG_CACHE_HOME: path('cache') };
const json = (file: string) => JSON.parse(readFileSync(file, 'utf8'));
const STEP = ['refresh', 'forward', 'backward', 'optimizer'];

const { plan, files, choice } = oneChoice();
/** First characters of the hashes of the two texts. */
const ids = choice.map(kernel => sha256(files.get(plan.kernels[kernel].file)!).slice(0, 12));
const names = choice.map(kernel => plan.kernels[kernel].name);

/** The tiny plan, whose dispatches have one variant each; but for the first that every device may run in two ways. */
function oneChoice(): { plan: Plan; files: ReadonlyMap<string, string>; choice: number[] } {
  const run = writeTinyRun(path('run'), { data: 'length: 8', adapter: 'rank: 2; experts: euclid' });
  const { plan, files } = readPlan(run.planFolder);
  const { forward } = plan.programs;
  const free = (v: (typeof forward)[number]['variants'][number]) => !v.features && !v.limits;
  const open = forward.find(({ variants }) => variants.filter(free).length > 1)!;
  const kept = open.variants.filter(free).slice(0, 2);
  for (const dispatches of Object.values(plan.programs))
    for (const dispatch of dispatches) dispatch.variants.length = 1;
  open.variants = kept;
  writePlan(path('run/one.mosplan'), plan, files);
  return { plan, files, choice: kept.map(v => v.kernel) };
}

async function result(args: string[]) {
  const { code, stdout, stderr } = await mos([...args, '--json'], { env });
  expect({ code, stderr: code === 0 ? '' : stderr }).toEqual({ code: 0, stderr: '' });
  return JSON.parse(stdout);
}
const tune = (...more: string[]) => result(['tune', path('run/one.mosplan'), ...more]);
const profile = (out: string) => result(['profile', path('run/one.mosplan'), '--out', path(out)]);

/** What a tuning file says of the choice, in which the fastest kernel is the one that is taken. */
function expectMeasured({ choices, checked }: Tuning): void {
  expect(Object.keys(choices)).toEqual([ids.join('+')]);
  const [{ name, kernel, milliseconds }] = Object.values(choices);
  expect(Object.keys(milliseconds).sort()).toEqual([...ids].sort());
  expect(milliseconds[kernel]).toBe(Math.min(...Object.values(milliseconds)));
  expect(name).toBe(names[ids.indexOf(kernel)]);
  expect(checked).toEqual({ [ids[1]]: true });
}

describe('tune', () => {
  gpuTest(
    'writes what it measured for this adapter and driver; runs go by it, and the next tune replaces it',
    async () => {
      const told = await tune();
      const cache = path('cache/mos/tuning');
      const [name, ...others] = readdirSync(cache);
      expect(others).toEqual([]);
      expect(told.file).toBe(join(cache, name));
      const tuning: Tuning = json(told.file);
      expect(tuning).toMatchObject({ format: 'mos-tuning', device: deviceName(gpu!.info) });
      expect(tuning.device.driver).not.toBe('');
      expectMeasured(tuning);
      expect(told.results).toHaveLength(1);
      expect(names).toContain(told.results[0].name);
      expect(told.results[0]).toMatchObject({ reference: names[0], wrong: [] });

      // The file decides, not the order of variants: either kernel runs when it says so.
      const id = ids.join('+');
      for (const i of [0, 1]) {
        const entry = { name: names[i], kernel: ids[i], milliseconds: { [ids[0]]: 1e6, [ids[1]]: 1e6 } };
        writeFileSync(told.file, JSON.stringify({ ...tuning, choices: { [id]: entry } }));
        await profile(`by-${i}`);
        const { dispatches }: Profile = json(path(`by-${i}/profile.json`));
        const at = plan.programs.forward.findIndex(d => d.variants.length > 1);
        expect(dispatches.filter(d => d.program === 'forward')[at].kernel).toBe(names[i]);
      }

      await tune();
      const again: Tuning = json(told.file);
      expectMeasured(again);
      expect(Math.max(...Object.values(again.choices[id].milliseconds))).toBeLessThan(1e6);

      const elsewhere = await tune('--out', path('tuning.json'));
      expect(elsewhere.file).toBe(path('tuning.json'));
      expectMeasured(json(path('tuning.json')));
      expect(json(told.file)).toEqual(again);
    },
    300_000,
  );
});

describe('profile', () => {
  gpuTest(
    'times every dispatch of a step, adds up, and leaves a table and a picture',
    async () => {
      const told = await profile('profile');
      expect([told.data, told.picture]).toEqual(['json', 'svg'].map(kind => path(`profile/profile.${kind}`)));
      const { dispatches, ...whole }: Profile = json(told.data);
      expect(dispatches.map(d => d.program)).toEqual(
        STEP.flatMap(program => plan.programs[program].map(() => program)),
      );
      const open = plan.programs.forward.findIndex(d => d.variants.length > 1);
      STEP.flatMap(program => plan.programs[program]).forEach((dispatch, i) => {
        const { file, line, column, module } = plan.origins[dispatch.origin];
        expect(dispatches[i]).toMatchObject({ module, place: `${file}:${line}:${column}` });
        if (dispatch !== plan.programs.forward[open])
          expect(dispatches[i].kernel).toBe(plan.kernels[dispatch.variants[0].kernel].name);
      });

      const sum = (list: { milliseconds: number }[]) => list.reduce((all, d) => all + d.milliseconds, 0);
      expect(told.dispatches).toBe(dispatches.length);
      expect(told.milliseconds).toBeGreaterThan(0);
      expect(sum(dispatches)).toBeCloseTo(told.milliseconds, 6);
      expect(sum(told.kernels)).toBeCloseTo(told.milliseconds, 6);
      for (const row of told.kernels) {
        const own = dispatches.filter(d => d.kernel === row.kernel);
        expect(row.dispatches).toBe(own.length);
        expect(row.milliseconds).toBeCloseTo(sum(own), 6);
        expect(row.share).toBeCloseTo(row.milliseconds / told.milliseconds, 6);
      }
      for (const key of ['device', 'method', 'tokens', 'step', 'host'] as const)
        expect(told[key]).toEqual(whole[key]);
      expect(whole.tokens).toBe(plan.training!.batch * plan.training!.length);

      const picture = readFileSync(told.picture, 'utf8');
      expect(picture).toStartWith('<svg xmlns');
      expect(picture.match(/<g>/g)?.length).toBe(picture.match(/<\/g>/g)?.length);
      expect(picture).toContain(`${told.milliseconds.toFixed(1)} ms of kernels for ${told.tokens} tokens`);
      expect(picture).toContain(
        `step\n${told.milliseconds.toFixed(3)} ms, 100.0 %, ${told.dispatches} dispatches`,
      );
    },
    300_000,
  );
});

describe('what cannot be measured', () => {
  mkdirSync(path('other.mosplan'));
  writeFileSync(path('other.mosplan/plan.json'), '{"format": "x"}');
  const { compiled } = goldenAdapter('readme');
  writePlan(path('alone.mosplan'), compiled.plan, compiled.files);
  writeFileSync(path('wrong.mos'), 'model "model" < > adapter q_proj < rank: none >');
  for (const command of ['tune', 'profile'])
    test.each([
      ['a file that is not there', 'none.mos', 'file-not-found'],
      ['a plan that is none', 'other.mosplan', 'plan-invalid'],
      ['a program with a mistake', 'wrong.mos', 'wrong-value'],
      ['a plan of adapters alone', 'alone.mosplan', 'plan-invalid'],
    ])(`${command}: %s`, async (_, target, diagnostic) => {
      const out = path(`not-${command}`);
      const { code, stdout, stderr } = await mos([command, path(target), '--out', out], { env });
      expect(stderr).toContain(`error[${diagnostic}]`);
      expect(stderr).not.toMatch(/^\s+at .*:\d+:\d+/m);
      expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
      expect(existsSync(out)).toBe(false);
    });
});
