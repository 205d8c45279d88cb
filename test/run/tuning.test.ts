/** Choosing among variants of kernels: tuning files, the check of what nobody has tried, and what a run keeps to. */
import { describe, expect, test } from 'bun:test';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sha256 } from '../../compiler/plan/hash.ts';
import { openDevice } from '../../src/gpu/device.ts';
import { openCheckpoint } from '../../src/model/checkpoint.ts';
import { openBase } from '../../src/run/base.ts';
import { Checkpoints } from '../../src/run/checkpoint.ts';
import { Measure, symbolsFor } from '../../src/run/measure.ts';
import { readPlan, writePlan } from '../../src/run/plan-folder.ts';
import { train } from '../../src/run/train.ts';
import { wantedBy } from '../../src/run/trust.ts';
import { proveVariants, tuneVariants } from '../../src/run/tune.ts';
import {
  choicesOf,
  emptyTuning,
  readTuning,
  type Tuning,
  tuningPath,
  writeTuning,
} from '../../src/run/tuning-file.ts';
import { type Choices, choiceId, kernelId, openChoices, VariantChoice } from '../../src/run/variants.ts';
import { Executor, type ExecutorOptions } from '../../src/runtime/executor.ts';
import { lastVariant } from '../../src/runtime/pipelines.ts';
import { codeOf } from '../fault-of.ts';
import { fakeBase } from '../faults/fake.ts';
import { gpu, gpuTest } from '../gpu/harness.ts';
import { TINY_VOCABULARY, type TinyRun, writeTinyRun } from '../tiny-model.ts';

const newFolder = () => mkdtempSync(join(tmpdir(), 'mos-tuning-'));
const run: TinyRun = writeTinyRun(newFolder(), { train: 'steps: 4; checkpoint: 2' });
const { plan } = run;
const INFO = {
  vendor: 'acme',
  architecture: 'x1',
  device: '9000',
  description: 'driver 1',
} as GPUAdapterInfo;
const TRAINING = ['refresh', 'forward', 'backward', 'optimizer'];
const open = [...openChoices(plan, TRAINING).values()].map(({ dispatch }) => dispatch);
/** The last variant of every choice: most are not what a processor takes by itself. */
const LAST: Choices = Object.fromEntries(
  open.map(d => [choiceId(plan, d), kernelId(plan, d.variants.at(-1)!)]),
);

/** A tuning file for a device that chooses `choices`. */
function tuningOf(info: GPUAdapterInfo, choices: Choices): Tuning {
  const entries = Object.entries(choices).map(([id, kernel]) => [
    id,
    { name: 'k', kernel, milliseconds: {} },
  ]);
  return { ...emptyTuning(info), choices: Object.fromEntries(entries) };
}

describe('tuning files', () => {
  test('what is written is read back, by the same adapter and driver only', () => {
    const folder = newFolder();
    const path = tuningPath(INFO, folder);
    const tuning = tuningOf(INFO, LAST);
    writeTuning(path, tuning);
    expect(readTuning(path, INFO)).toEqual(tuning);
    expect(choicesOf(readTuning(path, INFO)!)).toEqual(LAST);
    const driver = { ...INFO, description: 'driver 2' } as GPUAdapterInfo;
    expect(tuningPath(driver, folder)).not.toBe(path);
    // Copied from another machine: it says nothing about this one.
    expect(readTuning(path, driver)).toBeUndefined();
    expect(readTuning(join(folder, 'none.json'), INFO)).toBeUndefined();
  });

  test.each([
    ['half a file', '{"format": "mos-tun'],
    ['another format', '{"format": "x"}'],
    ['a kernel that is none', JSON.stringify(tuningOf(INFO, { id: 'zz' }))],
    ['more than it should say', JSON.stringify({ ...emptyTuning(INFO), more: 1 })],
  ])('a damaged one is refused: %s', (_, text) => {
    const path = join(newFolder(), 'tuning.json');
    writeFileSync(path, text);
    expect(codeOf(() => readTuning(path, INFO))).toBe('bad-tuning');
  });
});

describe('choices', () => {
  // one that a processor leaves at its first variant
  const dispatch = open.find(d => d.variants.slice(1).every(v => v.hardware))!;
  const [first, last] = [dispatch.variants[0], dispatch.variants.at(-1)!];
  const choose = (hardware: boolean, known = {}) => new VariantChoice(plan, 'Acme', hardware, known).choose;
  const all = dispatch.variants;

  test('a measured variant comes before the static choice, a pinned one before both', () => {
    const [toFirst, toLast] = [first, last].map(v => ({ [choiceId(plan, dispatch)]: kernelId(plan, v) }));
    expect(choose(false)(dispatch, all)).toBe(first);
    expect(choose(true)(dispatch, all)).toBe(last);
    expect(choose(false, { tuned: toLast })(dispatch, all)).toBe(last);
    expect(choose(true, { tuned: toLast, pinned: toFirst })(dispatch, all)).toBe(first);
    expect(choose(true, { tuned: { other: kernelId(plan, first) } })(dispatch, all)).toBe(last);
  });

  test('who has compared nothing takes no variant that needs a feature', () => {
    const core = { ...first, hardware: true };
    const wide = { ...first, features: ['subgroups'] };
    expect(lastVariant(true, true)(dispatch, [first, core, wide])).toBe(wide);
    expect(lastVariant(true)(dispatch, [first, core, wide])).toBe(core);
    expect(lastVariant(false)(dispatch, [first, core, wide])).toBe(first);
  });

  test('a pinned variant that cannot run is a fault; a measured one is passed over', () => {
    const tuned = { [choiceId(plan, dispatch)]: kernelId(plan, last) };
    expect(choose(false, { tuned })(dispatch, [first])).toBe(first);
    expect(codeOf(() => choose(false, { pinned: tuned })(dispatch, [first]))).toBe('variant-unavailable');
  });
});

/**
 * The tiny plan with one choice left open, in its first SwiGLU: the kernel there is, and one added whose results are
 * twice too large. It needs a feature, as variants that nobody has tried do.
 */
function withWrongVariant(folder: string): { planFolder: string; right: Choices; wrong: Choices } {
  const { plan, files } = readPlan(run.planFolder);
  const changed = structuredClone(plan);
  for (const dispatches of Object.values(changed.programs))
    for (const dispatch of dispatches) dispatch.variants.length = 1;
  const dispatch = changed.programs.forward.find(
    d => plan.kernels[d.variants[0].kernel].name === 'swiglu.forward',
  )!;
  const kernel = plan.kernels[dispatch.variants[0].kernel];
  const text = files.get(kernel.file)!.replace(/(\bout\[.*\]) = (.*);/, '$1 = 2.0 * ($2);');
  const hash = sha256(text);
  const file = `kernels/swiglu.wrong.${hash.slice(0, 12)}.wgsl`;
  files.set(file, text);
  const added = changed.kernels.push({ ...kernel, name: 'swiglu.wrong', file, sha256: hash }) - 1;
  dispatch.variants.push({ ...dispatch.variants[0], kernel: added, features: ['timestamp-query'] });
  const planFolder = join(folder, 'wrong.mosplan');
  writePlan(planFolder, changed, files);
  const id = choiceId(changed, dispatch);
  const [right, wrong] = dispatch.variants.map(v => ({ [id]: kernelId(changed, v) }));
  return { planFolder, right, wrong };
}

const quiet = { log() {}, warn() {}, phase() {}, progress() {}, stop: new AbortController().signal };
const adapterOf = (out: string) => readFileSync(join(out, 'adapter/adapter.safetensors'));

describe('on a device', () => {
  const { planFolder, right, wrong } = withWrongVariant(run.folder);
  const [id] = Object.keys(right);

  gpuTest('variants are compared before they are timed, and a wrong one is never taken', async () => {
    const warnings: string[] = [];
    const tuningFolder = newFolder();
    const warn = (text: string) => warnings.push(text);
    const base = await openBase(planFolder, () => {}, { tuningFolder, warn });
    const { info } = base.opened;
    try {
      expect(base.choices).toEqual(right);
      expect(warnings.join()).toContain('swiglu.wrong');
      // Remembered, so that the next start need not look again.
      const tuning = readTuning(tuningPath(info, tuningFolder), info)!;
      expect(tuning.checked).toEqual({ [wrong[id]]: false });
      const again = new VariantChoice(base.plan, 'here', true);
      expect((await proveVariants(base.executor, again, tuning, TRAINING)).learned).toBe(false);
      expect(again.chosen).toEqual(right);

      const measured = emptyTuning(info);
      const [result] = await tuneVariants(base.executor, measured, TRAINING, () => {});
      expect(result.wrong).toEqual(['swiglu.wrong']);
      expect(choicesOf(measured)).toEqual(right);
      expect(Object.keys(measured.choices[id].milliseconds)).toEqual([right[id]]);
    } finally {
      base.close();
    }
  });

  gpuTest('a head whose tokens four does not divide: no right variant is called wrong', async () => {
    expect(TINY_VOCABULARY % 4).not.toBe(0);
    const { files } = readPlan(run.planFolder);
    const checkpoint = openCheckpoint(join(run.folder, 'model'));
    const executor = await Executor.open(plan, files, gpu!, checkpoint.source());
    try {
      // the gradients of the head are taken in the forward pass, chunk by chunk
      const dispatch = plan.programs.forward.find(d =>
        plan.kernels[d.variants[0].kernel].name.startsWith('linear.input_grad'),
      )!;
      const variants = executor.pipelines.runnable(dispatch);
      expect(variants.length).toBeGreaterThan(1);
      const agreed = await new Measure(executor).agree(dispatch, variants, symbolsFor(plan, 'forward'));
      expect(agreed).toEqual(variants.map(() => true));
    } finally {
      executor.close();
      checkpoint.close();
    }
  });

  gpuTest('a plan that is opened without this check keeps to what every device has', async () => {
    const { plan, files } = readPlan(planFolder);
    const opened = await openDevice({ limits: plan.requires.limits, wanted: wantedBy(plan) });
    const checkpoint = openCheckpoint(join(run.folder, 'model'));
    const kernelWith = async (options: ExecutorOptions) => {
      const executor = await Executor.open(plan, files, opened, checkpoint.source(), options);
      const [{ dispatch }] = openChoices(plan, TRAINING).values();
      expect(executor.pipelines.runnable(dispatch)).toHaveLength(2);
      const { kernel } = await executor.bind(dispatch);
      executor.close();
      return plan.kernels[kernel].name;
    };
    expect(await kernelWith({})).toBe('swiglu.forward');
    expect(await kernelWith({ choose: lastVariant(true, true) })).toBe('swiglu.wrong');
    checkpoint.close();
    opened.close();
  });

  gpuTest(
    'a resumed run keeps to its variants, whatever a newer tuning file says',
    async () => {
      const { info } = gpu!;
      const tuningFolder = newFolder();
      const path = tuningPath(info, tuningFolder);
      const hooks = {
        openBase: ((from, phase, options) =>
          openBase(from, phase, { ...options, tuningFolder })) as typeof openBase,
      };
      const args = { plan: planFolder, evaluate: false };
      const [whole, parted] = [newFolder(), newFolder()];
      const state = (out: string, step: number) => new Checkpoints(out).read(step).snapshot!.state;
      await train({ ...args, out: whole }, quiet, hooks);
      await train({ ...args, out: parted, steps: 2 }, quiet, hooks);
      expect(state(parted, 2).variants).toEqual(right);
      // As if it had been fastest, and right.
      writeTuning(path, { ...tuningOf(info, wrong), checked: { [wrong[id]]: true } });
      await train({ ...args, out: parted, resume: true }, quiet, hooks);
      expect(adapterOf(parted).equals(adapterOf(whole))).toBe(true);

      // The file does decide for a run that begins with it: otherwise the above would say nothing.
      const opened = async (pinned?: Choices) => {
        const base = await openBase(planFolder, () => {}, { tuningFolder, pinned });
        base.close();
        return base.choices;
      };
      expect(await opened()).toEqual(wrong);
      expect(await opened(right)).toEqual(right);
      // What a run was begun with turns out to be wrong here.
      writeTuning(path, { ...emptyTuning(info), checked: { [wrong[id]]: false } });
      await expect(opened(wrong)).rejects.toMatchObject({ diagnostics: [{ code: 'variant-unavailable' }] });
    },
    300_000,
  );
});

test('a run hands the variants it was begun with to whoever opens the device, unless it is forced', async () => {
  const choices = { id: '0123456789ab' };
  const pins: unknown[] = [];
  const fake = fakeBase();
  const open = (async (from, phase, options) => {
    pins.push(options?.pinned);
    return { ...(await fake(from, phase)), choices };
  }) as typeof openBase;
  const out = newFolder();
  const args = { plan: run.planFolder, out, evaluate: false, steps: 2 };
  await train(args, quiet, { openBase: open });
  await train({ ...args, steps: 3, resume: true }, quiet, { openBase: open });
  const other = (async (from, phase, options) => {
    pins.push(options?.pinned);
    return { ...(await fake(from, phase)), choices: { id: 'ba9876543210' } };
  }) as typeof openBase;
  const { exact } = await train({ ...args, steps: 4, resume: true, force: true }, quiet, { openBase: other });
  expect(pins).toEqual([undefined, choices, undefined]);
  expect(exact).toBe(false);
});
