/** Whole plans on a device that forgives nothing: guards behind every binding, NaN in all memory without a value. */
import { describe, expect, spyOn } from 'bun:test';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Compiled, CompileOptions } from '../../compiler/index.ts';
import { sha256 } from '../../compiler/plan/hash.ts';
import type { Dispatch } from '../../compiler/plan/schema.ts';
import { Executor, type ExecutorOptions } from '../../src/runtime/executor.ts';
import { generate } from '../../src/runtime/generate.ts';
import { verify } from '../../src/verify/index.ts';
import { passes } from '../../src/verify/report.ts';
import { type CheckedDevice, checkedDevice } from '../gpu/checked-device.ts';
import { gpuTest } from '../gpu/harness.ts';
import {
  batchOf,
  compileSmall,
  EVERYTHING,
  openCompiled,
  randomParameters,
  sequences,
  type Text,
} from '../run/small.ts';
import { NIGHTLY } from './table.ts';

const LIMIT_MS = 600_000;

/** `work` with every executor that it opens on a checked device. */
async function checked<T>(work: () => Promise<T>): Promise<{ result: T; problems: string[] }> {
  const open = Executor.open.bind(Executor);
  const devices: CheckedDevice[] = [];
  const spy = spyOn(Executor, 'open').mockImplementation((plan, files, opened, tensors, options) => {
    const device = checkedDevice(opened.device, plan);
    devices.push(device);
    return open(plan, files, { ...opened, device: device.device }, tensors, options);
  });
  try {
    const result = await work();
    expect(devices.length).toBeGreaterThan(0);
    return { result, problems: (await Promise.all(devices.map(d => d.problems()))).flat() };
  } finally {
    spy.mockRestore();
  }
}

/** Two steps of unequal micro-batches, a validation and an answer: every program of the plan. */
async function everyProgram(compiled: Compiled, how?: ExecutorOptions) {
  const { plan, executor, session } = await openCompiled(compiled, how);
  session.start(randomParameters(plan, 8));
  const steps = [];
  // As many tokens as there is room for, then fewer.
  for (const [i, lengths] of [
    [32, 32, 32, 32, 32],
    [5, 1, 9],
  ].entries()) {
    const batches = [batchOf(i, lengths, 1), batchOf(i + 9, lengths.toReversed())];
    const { loss, balance, norm, stats } = await session.step(batches, 1, i, 1);
    steps.push({ loss, balance, norm, stats });
  }
  const validation = await session.validate([batchOf(3, [7, 3]), batchOf(4, [2])]);
  const prompts = sequences(5, [6, 2]).map(s => s.ids);
  const answers = await generate(executor, prompts, { maxTokens: 4, eos: [] });
  const state = await session.snapshot();
  executor.close();
  return { steps, validation, answers, state };
}

const declared = readFileSync(join(import.meta.dir, '../../examples/spaces/gnomon.mos'), 'utf8');
const plans: Record<string, [Text, CompileOptions?, ExecutorOptions?]> = {
  'every space, map, router and gate': [EVERYTHING],
  'a declared space over nf4 and int8, layers computed again, logits in chunks': [
    {
      model: 'dtype: nf4',
      train: 'recompute: layer',
      adapters: `${declared}
adapter q_proj, down_proj < rank: 4; dropout: 0.1; experts: gnomon(k=learn(init=0.05)), hyperbolic(c=learn, map=exp); router: top1 >`,
    },
    { logitsBytes: 16 * 64 * 4 },
  ],
};
const text: Text = {
  adapters: 'adapter q_proj < rank: 4; experts: hyperbolic(c=learn), euclid; router: top2 >',
};
if (NIGHTLY) {
  for (const dtype of ['bf16', 'f16', 'int8', 'int4'])
    plans[`weights in ${dtype}`] = [{ ...text, model: `dtype: ${dtype}` }];
  plans['the kernels for hardware'] = [text, {}, { hardwareVariants: true }];
}

describe('nothing is read that nobody wrote, nothing written where it must not, and the bits are the same', () => {
  for (const [name, [text, options, how]] of Object.entries(plans)) {
    gpuTest(
      name,
      async () => {
        const compiled = compileSmall(text, options);
        const plain = await everyProgram(compiled, how);
        const { result, problems } = await checked(() => everyProgram(compiled, how));
        expect(problems).toEqual([]);
        expect(result).toEqual(plain);
        expect(plain.state.params.every(Number.isFinite)).toBe(true);
      },
      LIMIT_MS,
    );
  }

  gpuTest(
    'the reference cases',
    async () => {
      const run = () =>
        verify(join(import.meta.dir, '../golden'), join(import.meta.dir, '../../examples/models'));
      const { result, problems } = await checked(run);
      expect(problems).toEqual([]);
      expect(result.filter(row => !passes(row))).toEqual([]);
      if (NIGHTLY) expect(result).toEqual(await run());
      expect(result.length).toBeGreaterThan(300);
    },
    LIMIT_MS,
  );
});

/** The plan of `text` with the WGSL of one operation changed, and its hash with it. */
function sabotaged(operation: string, from: string, to: string): Compiled {
  const { plan, files } = compileSmall(text);
  for (const kernel of plan.kernels.filter(k => k.name === operation)) {
    const wgsl = files.get(kernel.file)!;
    expect(wgsl).toContain(from);
    files.set(kernel.file, wgsl.replace(from, to));
    kernel.sha256 = sha256(files.get(kernel.file)!);
  }
  return { plan, files };
}

/** Loss of a full batch. */
async function lossOf(compiled: Compiled): Promise<number> {
  const { plan, executor, session } = await openCompiled(compiled);
  session.start(randomParameters(plan, 8));
  return session.validate([batchOf(7, [32, 32, 32, 32, 32])]).finally(() => executor.close());
}

describe('what the checks find, and WebGPU forgives', () => {
  gpuTest('a kernel that writes one element too many', async () => {
    const wide = sabotaged('swiglu.forward', 'id.x >= LD_OUT / 4u', 'id.x > LD_OUT / 4u');
    expect(await lossOf(wide)).toBeFinite();
    const { problems } = await checked(() => lossOf(wide));
    expect(problems).toEqual([
      expect.stringMatching(/^swiglu\.forward wrote past the end of out \(scratch\.\d+\)$/),
    ]);
  });

  gpuTest('a kernel that reads one element too many', async () => {
    const far = sabotaged('swiglu.forward', 'let gate = gate_up[', 'let gate = gate_up[LD_IN / 4u + ');
    expect(await lossOf(far)).toBeFinite();
    expect((await checked(() => lossOf(far))).result).toBeNaN();
  });

  gpuTest('a kernel that leaves a row out', async () => {
    const short = sabotaged('swiglu.forward', 'id.y >= frame.tokens', 'id.y + 1u >= frame.tokens');
    expect(await lossOf(short)).toBeFinite();
    expect((await checked(() => lossOf(short))).result).toBeNaN();
  });

  gpuTest('memory that nobody wrote', async () => {
    const { plan, files } = compileSmall(text);
    const operation = (d: Dispatch) => plan.kernels[d.variants[0].kernel].name;
    plan.programs.evaluate = plan.programs.evaluate.filter(d => operation(d) !== 'embedding.forward');
    expect(await lossOf({ plan, files })).toBeFinite();
    const { problems } = await checked(() => lossOf({ plan, files }));
    expect(problems).toContainEqual(
      expect.stringMatching(/^rmsnorm\.forward \(x\) read scratch\.\d+, which has no value yet$/),
    );
  });
});
