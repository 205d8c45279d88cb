/**
 * Where the time of a training step goes: every dispatch by itself, on the largest batch of the plan, from timestamps of
 * the GPU where it has them, else from the clock around a submit of its own.
 */
import { type Executor, flopsOf, type Symbols } from '../runtime/executor.ts';
import { initialParameters } from '../runtime/parameters.ts';
import type { Bound } from '../runtime/pipelines.ts';
import { EVALUATION, Session } from '../runtime/session.ts';
import { fullBatch, symbolsFor } from './measure.ts';

export interface Timed {
  program: string;
  kernel: string;
  /** The module it serves, and its place in the `.mos` file. */
  module: string;
  place: string;
  milliseconds: number;
  flops: number;
  /** Bytes of everything bound: what must be read or written at least once. */
  bytes: number;
}

export interface Profile {
  device: string;
  method: 'timestamps' | 'submits';
  tokens: number;
  /** A whole step, as training runs it, and what the host did for it meanwhile; milliseconds, medians. */
  step: number;
  host: number;
  dispatches: Timed[];
}

const STEPS = 3;
/** Largest number of timestamps in one set that WebGPU allows. */
const MAX_QUERIES = 4096;
/** Dispatches per submit: few enough that no watchdog minds. */
const PER_SUBMIT = 16;
export const TIMESTAMPS = 'timestamp-query';

/** Runs some steps, then every dispatch of one alone. Parameters start afresh. */
export async function profileStep(
  executor: Executor,
  device: string,
  onPhase: (phase: string) => void,
  method: Profile['method'] = executor.opened.device.features.has(TIMESTAMPS) ? 'timestamps' : 'submits',
): Promise<Profile> {
  const { plan } = executor;
  const batch = fullBatch(plan);
  const session = new Session(executor);
  session.start(initialParameters(plan, plan.training!.seed));
  onPhase('compiling kernels');
  await session.step([batch], 1, 0, 0);
  onPhase('timing whole steps');
  const steps: { step: number; host: number }[] = [];
  for (let i = 1; i <= STEPS; i++) {
    const [started, used] = [performance.now(), process.cpuUsage()];
    await session.step([batch], 1, i, 0);
    const { user, system } = process.cpuUsage(used);
    steps.push({ step: performance.now() - started, host: (user + system) / 1000 });
  }
  onPhase('timing kernels');
  const dispatches: Timed[] = [];
  for (const program of ['refresh', 'forward', 'backward', 'optimizer'])
    dispatches.push(...(await timeProgram(executor, program, method)));
  const median = (list: number[]) => list.sort((a, b) => a - b)[list.length >> 1];
  return {
    device,
    method,
    tokens: batch.tokens,
    step: median(steps.map(s => s.step)),
    host: median(steps.map(s => s.host)),
    dispatches,
  };
}

async function timeProgram(executor: Executor, program: string, method: Profile['method']): Promise<Timed[]> {
  const { plan } = executor;
  const symbols = symbolsFor(plan, program);
  executor.writeFrame(symbols, EVALUATION);
  const bound: Bound[] = [];
  for (const dispatch of executor.dispatchesOf(program)) bound.push(await executor.bind(dispatch));
  const time = method === 'timestamps' ? byTimestamps : bySubmits;
  const milliseconds: number[] = [];
  for (let at = 0; at < bound.length; at += MAX_QUERIES / 2)
    milliseconds.push(...(await time(executor, bound.slice(at, at + MAX_QUERIES / 2), symbols)));
  executor.opened.check();
  return bound.map(({ dispatch, kernel }, i) => {
    const { file, line, column, module } = plan.origins[dispatch.origin];
    return {
      program,
      kernel: plan.kernels[kernel].name,
      module,
      place: `${file}:${line}:${column}`,
      milliseconds: milliseconds[i],
      flops: flopsOf(dispatch, symbols),
      bytes: dispatch.bindings.reduce((sum, b) => sum + b.bytes, 0),
    };
  });
}

/** A pass for every dispatch, with a timestamp at both of its ends. */
async function byTimestamps(executor: Executor, bound: Bound[], symbols: Symbols): Promise<number[]> {
  const { device } = executor.opened;
  const count = 2 * bound.length;
  const querySet = device.createQuerySet({ type: 'timestamp', count });
  const { QUERY_RESOLVE, COPY_SRC, COPY_DST, MAP_READ } = GPUBufferUsage;
  const resolved = device.createBuffer({ size: 8 * count, usage: QUERY_RESOLVE | COPY_SRC });
  const back = device.createBuffer({ size: 8 * count, usage: COPY_DST | MAP_READ });
  try {
    for (let at = 0; at < bound.length; at += PER_SUBMIT) {
      const encoder = device.createCommandEncoder();
      for (let i = at; i < Math.min(at + PER_SUBMIT, bound.length); i++) {
        const timestampWrites = {
          querySet,
          beginningOfPassWriteIndex: 2 * i,
          endOfPassWriteIndex: 2 * i + 1,
        };
        const pass = encoder.beginComputePass({ timestampWrites });
        executor.record(pass, bound[i], symbols);
        pass.end();
      }
      device.queue.submit([encoder.finish()]);
    }
    const encoder = device.createCommandEncoder();
    encoder.resolveQuerySet(querySet, 0, count, resolved, 0);
    encoder.copyBufferToBuffer(resolved, 0, back, 0, 8 * count);
    device.queue.submit([encoder.finish()]);
    await back.mapAsync(GPUMapMode.READ);
    const nanoseconds = new BigUint64Array(back.getMappedRange());
    return bound.map((_, i) => Math.max(0, Number(nanoseconds[2 * i + 1] - nanoseconds[2 * i]) / 1e6));
  } finally {
    for (const resource of [querySet, resolved, back]) resource.destroy();
  }
}

async function bySubmits(executor: Executor, bound: Bound[], symbols: Symbols): Promise<number[]> {
  const { device } = executor.opened;
  const milliseconds: number[] = [];
  for (const one of bound) {
    const encoder = device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    const recorded = executor.record(pass, one, symbols);
    pass.end();
    const started = performance.now();
    device.queue.submit([encoder.finish()]);
    await device.queue.onSubmittedWorkDone();
    milliseconds.push(recorded ? performance.now() - started : 0);
  }
  return milliseconds;
}

export interface KernelRow {
  kernel: string;
  dispatches: number;
  milliseconds: number;
  /** Of the time of all kernels. */
  share: number;
  /** Rates over the time in this kernel, GFLOP/s and GB/s. */
  gflops: number;
  gigabytes: number;
}

/** Time by kernel, most first. */
export function byKernel(dispatches: Timed[]): KernelRow[] {
  const total = dispatches.reduce((sum, d) => sum + d.milliseconds, 0);
  const rows = new Map<string, Timed[]>();
  for (const timed of dispatches) rows.set(timed.kernel, [...(rows.get(timed.kernel) ?? []), timed]);
  return [...rows]
    .map(([kernel, list]): KernelRow => {
      const sum = (f: (d: Timed) => number) => list.reduce((all, d) => all + f(d), 0);
      const milliseconds = sum(d => d.milliseconds);
      return {
        kernel,
        dispatches: list.length,
        milliseconds,
        share: milliseconds / total,
        gflops: sum(d => d.flops) / milliseconds / 1e6,
        gigabytes: sum(d => d.bytes) / milliseconds / 1e6,
      };
    })
    .sort((a, b) => b.milliseconds - a.milliseconds);
}
