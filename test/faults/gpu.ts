/** Faults 47 to 53: devices that compute nothing, have no memory, complain, or go away. */
import { expect } from 'bun:test';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { openDevice, openGpu } from '../../src/gpu/device.ts';
import type { Fault } from '../../src/report/fault.ts';
import { openBase } from '../../src/run/base.ts';
import { Checkpoints } from '../../src/run/checkpoint.ts';
import { readPlan } from '../../src/run/plan-folder.ts';
import { Executor } from '../../src/runtime/executor.ts';
import { generate } from '../../src/runtime/generate.ts';
import { gpu } from '../gpu/harness.ts';
import { compileTiny, tinyProgram } from '../tiny-model.ts';
import { type FakeDevice, fakeBase } from './fake.ts';
import { adapterOf, codeOf, EIGHT, faultOf, newFolder, rowsOf, tiny, trial } from './rig.ts';
import { fault, withoutGpu } from './table.ts';

const CHILD = join(import.meta.dir, 'fixtures/device-child.ts');

async function child(how: string): Promise<{ stdout: string; stderr: string }> {
  const run = Bun.spawn([process.execPath, CHILD, how], { stdout: 'pipe', stderr: 'pipe' });
  const [stdout, stderr] = await Promise.all([
    new Response(run.stdout).text(),
    new Response(run.stderr).text(),
  ]);
  return { stdout, stderr };
}

fault(47, 'no adapter, or one that computes nothing, is found out when it is opened', async () => {
  expect((await child('none')).stderr).toBe('no-gpu\n');
  expect((await child('null')).stderr).toBe('gpu-broken\n');
});

/** A device on which `failing` calls of an error scope report something. */
async function outOfMemory(): Promise<string> {
  await openGpu();
  const { plan, planFolder } = tiny();
  const error = new GPUOutOfMemoryError('the driver has no more');
  const scopes: (GPUError | null)[] = [error, null];
  const device = {
    pushErrorScope() {},
    popErrorScope: async () => scopes.pop() ?? null,
    createBuffer: () => ({ destroy() {} }),
  };
  const opened = { device, software: true, failure: () => undefined, check() {}, settled: async () => {} };
  return faultOf(() =>
    Executor.open(plan, readPlan(planFolder).files, opened as never, async () => new Float32Array()),
  );
}

fault(48, 'out of memory: the bytes that were wanted, and a hint', async () => {
  expect(await outOfMemory()).toMatch(
    /^gpu-out-of-memory: out of GPU memory while allocating \d+ MiB in \d+ buffers$/,
  );
});

fault(49, 'mapping at creation can fail where nothing else tells: it is never asked for', () => {
  const folders = ['gpu', 'run'].map(name => join(import.meta.dir, '../../src', name));
  const sources = folders.flatMap(folder =>
    readdirSync(folder).map(name => readFileSync(join(folder, name), 'utf8')),
  );
  expect(sources.filter(text => text.includes('mappedAtCreation'))).toEqual([]);
});

fault(
  50,
  'the device lost in any phase: gone on from the last checkpoint, to the same bytes; given up after three in vain',
  async () => {
    const run = tiny();
    let runs = 0;
    const whole = await trial(run, { hooks: { openBase: fakeBase({ onRun: () => void runs++ }) } });
    expect(runs).toBeGreaterThan(30);
    const same = (out: string) =>
      expect([adapterOf(out), rowsOf(out)]).toEqual([adapterOf(whole.out), rowsOf(whole.out)]);
    for (let at = 0; at < runs; at += 3) {
      let seen = 0;
      const onRun = (_: string[], __: unknown, device: FakeDevice) => {
        if (seen++ === at) device.lose();
      };
      const { out, told } = await trial(run, { hooks: { openBase: fakeBase({ onRun }) } });
      expect(told.warnings.length).toBe(1);
      expect(told.warnings[0]).toMatch(/^the GPU was lost.* going on from step \d.*attempt 1 of 3/);
      same(out);
    }
    // Between the programs: while reading data, validating, saving.
    for (const phase of ['reading the data', 'validating', 'saving a checkpoint']) {
      let device: FakeDevice | undefined;
      let done = false;
      const openFake = fakeBase({
        onOpen(opened) {
          device = opened;
        },
      });
      const listen = {
        phase(name: string) {
          if (name !== phase || done) return;
          done = true;
          device!.lose();
        },
      };
      same((await trial(run, { hooks: { openBase: openFake }, listen })).out);
    }
    // While questions are answered, before training and after.
    const asked = compileTiny(
      tiny().folder,
      `${tinyProgram(EIGHT)}eval sums: on "data.jsonl" < limit: 3; max_tokens: 3 >\n`,
    );
    const programs: string[] = [];
    const note = (names: string[]) => void programs.push(...names);
    const answered = await trial(asked, { evaluate: true, hooks: { openBase: fakeBase({ onRun: note }) } });
    expect(answered.result.evaluations).toHaveLength(1);
    const answering = programs.flatMap((name, i) => (/prefill|decode/.test(name) ? [i] : []));
    for (const at of [answering[0], answering[1], answering.at(-2), answering.at(-1)]) {
      let seen = 0;
      const onRun = (names: string[], _: unknown, device: FakeDevice) => {
        if (at! >= seen && at! < seen + names.length) device.lose();
        seen += names.length;
      };
      const { out, told, result } = await trial(asked, {
        evaluate: true,
        hooks: { openBase: fakeBase({ onRun }) },
      });
      expect(told.warnings).toEqual([expect.stringMatching(/^the GPU was lost.*attempt 1 of 3/)]);
      expect([result.evaluations, rowsOf(out)]).toEqual([answered.result.evaluations, rowsOf(answered.out)]);
    }
    // Without progress: three more tries, then a fault, and the checkpoint is where it was.
    const out = newFolder();
    const openFake = fakeBase({ onRun: (_, { step }, device) => void (step === 5 && device.lose()) });
    const message = await faultOf(() => trial(run, { out, hooks: { openBase: openFake } }));
    expect(message).toMatch(/^gpu-lost: .*4 times without getting past step \d$/);
    expect(openFake.opened).toBe(4);
    const step = new Checkpoints(out).load().snapshot!.state.step;
    expect(step).toBeGreaterThan(1);
    expect((await trial(run, { out, resume: true })).result.resumedFrom).toBe(step);
    same(out);
    // A fresh run that loses its device before it begins does not go on with whatever was in the folder.
    let first = true;
    const lostEarly = fakeBase({
      onOpen(device) {
        if (first) device.lose();
        first = false;
      },
    });
    const fresh = await trial(run, { out, hooks: { openBase: lostEarly } });
    expect(fresh.result.resumedFrom).toBeUndefined();
  },
);

fault(51, 'an error of WebGPU that nobody expected ends the run and never reaches stdout', async () => {
  const { stdout, stderr } = await child('uncaptured');
  expect(stdout).toBe('');
  expect(stderr).toBe(gpu ? 'gpu-error\n' : 'no-gpu\n');
});

const SILENT = 'a lost device reports no errors: that is not taken for success';
const REAL =
  'a real device destroyed while opening, compiling and in the middle of a step: new ones, the same bytes';
if (gpu) {
  fault(52, SILENT, async () => {
    const run = tiny();
    const early = async () => {
      const opened = await openDevice();
      opened.device.destroy();
      return opened;
    };
    expect(await codeOf(() => openBase(run.planFolder, () => {}, { openDevice: early }))).toBe('gpu-lost');
  });
  fault(53, REAL, async () => {
    const run = tiny();
    const whole = await trial(run, { hooks: { openBase } });
    let device: GPUDevice | undefined;
    const watched: typeof openDevice = async options => {
      const opened = await openDevice(options);
      device = opened.device;
      return opened;
    };
    const due = ['allocating buffers', 'compiling kernels for the first step'];
    const { out, told } = await trial(run, {
      hooks: { openBase: (folder, phase) => openBase(folder, phase, { openDevice: watched }) },
      listen: {
        phase(name) {
          if (due[0] === name && due.shift()) device!.destroy();
        },
        progress({ step }) {
          // During the step that comes next.
          if (step === 4 && due.length === 0 && due.push('never')) setTimeout(() => device!.destroy(), 2);
        },
      },
    });
    // A device that is lost while buffers are made tells nobody until something is read from it.
    expect(told.warnings).toEqual([1, 2, 1].map(n => expect.stringMatching(`attempt ${n} of 3`)));
    expect([adapterOf(out), rowsOf(out)]).toEqual([adapterOf(whole.out), rowsOf(whole.out)]);

    // While an answer is generated nothing can be gone on from: it is said, with the line of the program.
    const base = await openBase(run.planFolder, () => {}, { openDevice: watched, use: 'generation' });
    const prompt = Int32Array.from([1, 2, 3]);
    const options = { maxTokens: 5, eos: [], onToken: () => device!.destroy() };
    const error = await generate(base.executor, [prompt], options).catch((thrown: unknown) => thrown);
    expect((error as Fault).diagnostics[0]).toMatchObject({
      code: 'gpu-lost',
      notes: [expect.stringMatching(/^the GPU was at decode: .*program\.mos:\d+:\d+/)],
    });
    base.close();
  });
} else {
  withoutGpu(52, SILENT);
  withoutGpu(53, REAL);
}
