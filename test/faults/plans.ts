/** Faults 40 to 46: plans that were edited, kernels that do not compile, grids and buffers beyond the limits. */
import { expect } from 'bun:test';
import { appendFileSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { sha256 } from '../../compiler/plan/hash.ts';
import type { Plan } from '../../compiler/plan/schema.ts';
import { check } from '../../dsl/index.ts';
import type { KernelSpec } from '../../kernels/spec.ts';
import { readPlan } from '../../src/run/plan-folder.ts';
import { trust, wantedBy } from '../../src/run/trust.ts';
import { Watchdog } from '../../src/run/watchdog.ts';
import { Executor } from '../../src/runtime/executor.ts';
import { EVALUATION } from '../../src/runtime/session.ts';
import { misbehave } from '../cli/run.ts';
import { gpu, runKernel } from '../gpu/harness.ts';
import { type TinyRun, tinyProgram } from '../tiny-model.ts';
import { fakeBase } from './fake.ts';
import { codeOf, faultOf, newFolder, tiny, trial } from './rig.ts';
import { fault, withoutGpu } from './table.ts';

const ROOT = join(import.meta.dir, '../..');

/** Edits plan.json of a fresh copy. */
function edited(change: (plan: Plan & Record<string, unknown>) => void): TinyRun {
  const run = tiny();
  const path = join(run.planFolder, 'plan.json');
  const plan = JSON.parse(readFileSync(path, 'utf8'));
  change(plan);
  writeFileSync(path, JSON.stringify(plan));
  return run;
}

const read = (run: TinyRun) => codeOf(() => readPlan(run.planFolder));

fault(40, 'edited WGSL and newer versions are refused', async () => {
  const run = tiny();
  expect(await read(run)).toBe('ok');
  const kernels = join(run.planFolder, 'kernels');
  appendFileSync(join(kernels, readdirSync(kernels)[0]), '\n');
  expect(await read(run)).toBe('plan-damaged');
  expect(await read(edited(plan => Object.assign(plan, { version: 99 })))).toBe('plan-version');
});

/** Runs a program of a plan in which the WGSL of every kernel was changed, its hash with it. */
async function withKernel(change: (wgsl: string) => string): Promise<string> {
  const { plan, planFolder } = tiny();
  const { files } = readPlan(planFolder);
  const [{ file }] = plan.kernels;
  files.set(file, change(files.get(file)!));
  plan.kernels[0].sha256 = sha256(files.get(file)!);
  const zeros = async (_: string, range?: { count: number }) =>
    new Float32Array(range?.count ?? sizeOf(plan, _));
  const executor = await Executor.open(plan, files, gpu!, zeros);
  const program = Object.entries(plan.programs).find(([, ds]) =>
    ds.some(d => d.variants[0].kernel === 0),
  )![0];
  try {
    return await faultWithNotes(() => executor.prepare(program));
  } finally {
    executor.close();
  }
}

function sizeOf(plan: Plan, tensor: string): number {
  const parts = plan.buffers.flatMap(b => (b.content?.kind === 'weights' ? b.content.parts : []));
  const { rows, columns } = parts.find(part => part.tensor === tensor)!;
  return rows * columns;
}

async function faultWithNotes(action: () => unknown): Promise<string> {
  try {
    await action();
  } catch (error) {
    return JSON.stringify((error as { diagnostics?: unknown }).diagnostics ?? String(error));
  }
  return 'ok';
}

const COMPILE_ERROR =
  'a kernel that does not compile, or with NUL in it: its name, the message, the line of the program';
const OVERFLOW = 'constants that f32 cannot hold are refused before anything runs';
const CANARY = 'a kernel that writes one element too many is caught by the guard behind every buffer';
if (gpu) {
  fault(41, COMPILE_ERROR, async () => {
    for (const change of [
      (wgsl: string) => wgsl.replace('fn main(', 'fn main(oops '),
      (wgsl: string) => `${wgsl}\0`,
    ]) {
      const message = await withKernel(change);
      expect(message).toContain('kernel-rejected');
      expect(message).toMatch(/the GPU rejects kernel [a-z_.]+/);
      expect(message).toMatch(/used for .*, from .*program\.mos:\d+:\d+/);
    }
  });
  fault(44, OVERFLOW, async () => {
    expect(check('a.mos', tinyProgram().replace('alpha: 8', 'alpha: 1e39')).diagnostics[0].code).toBe(
      'number-too-large',
    );
    const message = await withKernel(wgsl => `${wgsl}\nconst TOO_LARGE = 1e38f * 1e38f;\n`);
    expect(message).toContain('kernel-rejected');
  });
  fault(45, CANARY, async () => {
    const shift: KernelSpec = {
      name: 'test.shift',
      wgsl: `struct Frame { tokens: u32, }
@group(0) @binding(0) var<uniform> frame: Frame;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
@compute @workgroup_size(64) fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  if (id.x <= frame.tokens) { y[id.x] = 1.0; }
}`,
      bindings: [
        { name: 'frame', access: 'uniform' },
        { name: 'y', access: 'write' },
      ],
    };
    const wrong = runKernel(
      shift,
      {},
      { y: new Float32Array(50) },
      { frame: { tokens: 50 }, workgroups: [1] },
    );
    await expect(wrong).rejects.toThrow('wrote element 50, past the end');
  });
} else {
  withoutGpu(41, COMPILE_ERROR);
  withoutGpu(44, OVERFLOW);
  withoutGpu(45, CANARY);
}

fault(42, 'dispatches, bindings and buffers beyond a limit', async () => {
  const first = (plan: Plan) => plan.programs.forward[0];
  const damages: ((plan: Plan) => void)[] = [
    plan => Object.assign(first(plan).bindings[0], { bytes: 2 ** 40 }),
    plan => Object.assign(first(plan).bindings[0], { offset: 3 }),
    plan => Object.assign(first(plan), { origin: 1e6 }),
    plan => Object.assign(first(plan).variants[0], { kernel: 1e6 }),
    plan => Object.assign(plan.buffers[0], { bytes: 2 ** 50 }),
    plan => Object.assign(plan.buffers[0], { bytes: 2 ** 40 }),
  ];
  for (const damage of damages) expect(await read(edited(damage))).toBe('plan-invalid');
  if (!gpu) return;
  // A grid that only turns out too wide with the batch at hand.
  const { plan, files } = readPlan(tiny().planFolder);
  for (const { variants } of plan.programs.optimizer) variants[0].grid[0] = 70_000;
  const executor = await Executor.open(
    plan,
    files,
    gpu,
    async (name, range) => new Float32Array(range?.count ?? sizeOf(plan, name)),
  );
  const wide = executor.run(['optimizer'], { tokens: 1, targets: 0, rows: 0 }, EVALUATION);
  expect(await codeOf(() => wide)).toBe('batch-too-large');
  executor.close();
});

fault(
  43,
  'a step that never ends is given up, with the line it comes from; a process that hangs is killed',
  async () => {
    const run = tiny();
    const endless = (programs: string[], { step }: { step: number }) =>
      programs.includes('forward') && step === 5 ? new Promise<void>(() => {}) : undefined;
    const openBase = fakeBase({ onRun: endless });
    const message = await faultWithNotes(() => trial(run, { hooks: { openBase, stepSeconds: 0.5 } }));
    expect(message).toContain('gpu-hung');
    expect(message).toContain('program.mos:2:1');
    // Closing would wait for it.
    expect([openBase.opened, openBase.closed]).toEqual([1, 0]);
    const watchdog = new Watchdog(0.3, () => []);
    expect(await codeOf(() => watchdog.guard(new Promise(() => {}), 'it', watchdog.limit))).toBe('gpu-hung');
    const { code, stderr } = await misbehave(['spin', '1']);
    expect([code, stderr]).toEqual([1, expect.stringContaining('error[worker-hung]')]);
  },
);

fault(46, 'a plan that asks for less safety is refused, always', async () => {
  expect(await read(edited(plan => Object.assign(plan, { toggles: ['disable_robustness'] })))).toBe(
    'plan-invalid',
  );
  expect(await read(edited(plan => void plan.requires.features.push('skip_validation')))).toBe(
    'plan-invalid',
  );
  expect(await faultOf(() => readPlan(tiny().planFolder))).toBe('ok');
  const sources = [...new Bun.Glob('src/**/*.ts').scanSync(ROOT)];
  const naming = (toggle: RegExp) =>
    sources.filter(file => toggle.test(readFileSync(join(ROOT, file), 'utf8')));
  expect(naming(/disable_robustness|skip_validation/)).toEqual([]);
  expect(naming(/allow_unsafe_apis/)).toEqual(['src/gpu/device.ts']);

  // Experimental features: for the very kernels that this user compiled, or named as trusted.
  const cache = process.env.XDG_CACHE_HOME;
  process.env.XDG_CACHE_HOME = newFolder();
  try {
    const asked = (plan: Plan) => {
      const { unsafe, features } = wantedBy(plan);
      expect([...features].some(name => name.startsWith('chromium-experimental'))).toBe(unsafe);
      return unsafe;
    };
    const { plan } = tiny();
    plan.programs.forward[0].variants[0].features = ['chromium-experimental-subgroup-matrix'];
    expect(asked(plan)).toBe(false);
    trust(plan);
    expect(asked(plan)).toBe(true);
    plan.kernels.at(-1)!.sha256 = sha256('another kernel');
    expect(asked(plan)).toBe(false);
  } finally {
    if (cache === undefined) delete process.env.XDG_CACHE_HOME;
    else process.env.XDG_CACHE_HOME = cache;
  }
});
