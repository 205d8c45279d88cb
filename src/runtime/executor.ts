/**
 * Runs a plan: buffers, pipelines and bind groups are built once, then programs are replayed. Knows plans only, never
 * the language, and nothing of the machine but a `GPUDevice`. Everything that changes per step is data in buffers.
 */
import type { Dispatch, Plan, SizeSymbol, Variant } from '../../compiler/plan/schema.ts';
import { evaluate } from '../../compiler/plan/size.ts';
import { programsOf, type Use } from '../../compiler/plan/uses.ts';
import { fault } from '../report/portable.ts';
import { PlanBuffers, type Range } from './buffers.ts';
import type { Watched } from './device.ts';
import { Pace } from './pace.ts';
import { type Bound, type Choose, lastVariant, Pipelines } from './pipelines.ts';
import type { TensorSource } from './upload-weights.ts';

export type Symbols = Record<SizeSymbol, number>;

/** Fields of the uniform `frame`; sizes are taken from the symbols. */
export interface Frame {
  seed: number;
  step: number;
  micro: number;
  training: boolean;
  lossScale: number;
  auxScale: number;
}

export interface ExecutorOptions {
  /** Takes the hardware variants even on a software adapter (tests), or never. Default: by adapter. */
  hardwareVariants?: boolean;
  /** Picks among the variants of a dispatch that the device can run. Default: `lastVariant`, nothing untried. */
  choose?: Choose;
  /** What the plan is opened for: those buffers are made at once, others when a program first needs them. Default: all. */
  use?: Use;
  /** Called between stages of loading. */
  onPhase?: (phase: string) => void;
}

interface Submit {
  programs: string[];
  first: Dispatch;
  last: Dispatch;
  flops: number;
}

const MAX_WORKGROUPS = 65535;

export class Executor {
  readonly plan: Plan;
  readonly opened: Watched;
  /** Whether the hardware variants of kernels are taken. */
  readonly hardware: boolean;
  readonly buffers: PlanBuffers;
  readonly pipelines: Pipelines;
  private readonly device: GPUDevice;
  private readonly programs = new Map<string, Promise<Bound[]>>();
  private readonly pace: Pace;
  private readonly submitted = { dispatches: 0, submits: 0 };
  /** Submits the GPU has not finished, oldest first. */
  private readonly open = new Set<Submit>();

  private constructor(
    plan: Plan,
    files: ReadonlyMap<string, string>,
    opened: Watched,
    options: ExecutorOptions,
  ) {
    this.plan = plan;
    this.opened = opened;
    this.device = opened.device;
    this.hardware = options.hardwareVariants ?? !opened.software;
    this.buffers = new PlanBuffers(plan, opened);
    this.pace = new Pace(opened.software);
    this.pipelines = new Pipelines(plan, files, opened, options.choose ?? lastVariant(this.hardware));
  }

  /** Allocates buffers and fills the constant ones. Throws `gpu-out-of-memory` with the bytes that were wanted. */
  static async open(
    plan: Plan,
    files: ReadonlyMap<string, string>,
    opened: Watched,
    tensors: TensorSource,
    options: ExecutorOptions = {},
  ): Promise<Executor> {
    const executor = new Executor(plan, files, opened, options);
    try {
      options.onPhase?.('allocating buffers');
      const { use } = options;
      await executor.buffers.allocate(use ? programsOf(plan, use) : Object.keys(plan.programs));
      options.onPhase?.('loading weights');
      await executor.buffers.fill(tensors);
      // A lost device swallows all of this without a word; only mapping tells.
      await executor.read('frame', 1);
      return executor;
    } catch (error) {
      await opened.settled();
      opened.check();
      throw error;
    }
  }

  /** Totals since opening, for reports and tests. */
  get counters() {
    return { ...this.submitted, buffers: this.buffers.made, ...this.pipelines.made };
  }

  has(name: string): boolean {
    return this.buffers.has(name);
  }

  /** Writes words or floats to a buffer, from its start or from word `offset`. */
  write(name: string, data: Float32Array | Uint32Array, offset = 0): void {
    this.buffers.write(name, data, offset);
  }

  /** Zeroes buffers. */
  clear(...names: string[]): void {
    this.buffers.clear(...names);
  }

  /** Reads the first `count` words of a buffer after everything submitted so far; a lost device is a fault here. */
  read(name: string, count: number): Promise<Float32Array<ArrayBuffer>> {
    return this.readRanges(name, [{ offset: 0, count }]);
  }

  /** Reads several ranges of words of a buffer, one after another in the result. */
  readRanges(name: string, ranges: Range[]): Promise<Float32Array<ArrayBuffer>> {
    return this.buffers.read(name, ranges, () => this.unfinished());
  }

  /** Compiles the pipelines of programs ahead of their first run. */
  async prepare(...names: string[]): Promise<void> {
    for (const name of names) await this.program(name);
  }

  private program(name: string): Promise<Bound[]> {
    let bound = this.programs.get(name);
    if (!bound) {
      const dispatches = this.dispatchesOf(name);
      bound = this.buffers.allocate([name]).then(() => Promise.all(dispatches.map(d => this.bind(d))));
      this.programs.set(name, bound);
    }
    return bound;
  }

  /** A dispatch on the plan's buffers; with a given variant, or the one that was chosen. */
  bind(dispatch: Dispatch, variant?: Variant): Promise<Bound> {
    return this.pipelines.bind(dispatch, (d, i) => this.own(d, i), variant);
  }

  /** A whole program on buffers of which some are others than the plan's own. */
  bindProgram(
    name: string,
    resource: (dispatch: Dispatch, binding: number) => GPUBufferBinding | undefined,
  ): Promise<Bound[]> {
    return Promise.all(
      this.dispatchesOf(name).map(d => this.pipelines.bind(d, (_, i) => resource(d, i) ?? this.own(d, i))),
    );
  }

  private own({ bindings }: Dispatch, index: number): GPUBufferBinding {
    const { buffer, offset, bytes } = bindings[index];
    return { buffer: this.buffers.at(buffer), offset, size: bytes };
  }

  /** Dispatches of a program; a name that the plan does not have is a bug of the caller. */
  dispatchesOf(name: string): Dispatch[] {
    const dispatches = Object.hasOwn(this.plan.programs, name) ? this.plan.programs[name] : undefined;
    if (!dispatches) throw new Error(`bug: the plan has no program ${name}`);
    return dispatches;
  }

  /** Runs programs one after another on the batch described by the symbols. Returns when all of it is submitted. */
  async run(names: string[], symbols: Symbols, frame: Frame): Promise<void> {
    this.writeFrame(symbols, frame);
    const limit = this.pace.flops;
    let encoder = this.device.createCommandEncoder();
    let pass = encoder.beginComputePass();
    let pending = 0;
    let first: Dispatch | undefined;
    let last: Dispatch | undefined;
    const submit = () => {
      pass.end();
      this.device.queue.submit([encoder.finish()]);
      this.submitted.submits++;
      if (first && last) this.follow({ programs: names, first, last, flops: pending });
    };
    for (const bound of (await Promise.all(names.map(n => this.program(n)))).flat()) {
      if (!this.record(pass, bound, symbols)) continue;
      first ??= bound.dispatch;
      last = bound.dispatch;
      pending += flopsOf(bound.dispatch, symbols);
      if (pending < limit) continue;
      submit();
      encoder = this.device.createCommandEncoder();
      pass = encoder.beginComputePass();
      pending = 0;
      first = undefined;
    }
    submit();
  }

  /** Records one dispatch; false where there is nothing to do for this batch. */
  record(
    pass: GPUComputePassEncoder,
    { pipeline, bindGroup, grid, dispatch }: Bound,
    symbols: Symbols,
  ): boolean {
    const [x, y, z] = grid.map(size => evaluate(size, symbols));
    if (x * y * z === 0) return false;
    if (Math.max(x, y, z) > MAX_WORKGROUPS) throw tooLarge(this.plan, dispatch, Math.max(x, y, z));
    pass.setPipeline(pipeline);
    pass.setBindGroup(0, bindGroup);
    pass.dispatchWorkgroups(x, y, z);
    this.submitted.dispatches++;
    return true;
  }

  private follow(submit: Submit): void {
    this.open.add(submit);
    const started = performance.now();
    const done = () => {
      // After a loss everything counts as done, although it is not.
      if (this.opened.failure()) return;
      this.open.delete(submit);
      this.pace.done(submit.flops, started, performance.now());
    };
    this.device.queue.onSubmittedWorkDone().then(done, () => {});
  }

  /** Where the GPU is: the oldest submit that it has not finished, with the places in the `.mos` file it comes from. */
  unfinished(): string[] {
    const [oldest] = this.open;
    if (!oldest) return [];
    const place = ({ origin }: Dispatch) => {
      const { file, line, column, module } = this.plan.origins[origin];
      return `${module} (${file}:${line}:${column})`;
    };
    const [from, to] = [place(oldest.first), place(oldest.last)];
    return [`the GPU was at ${oldest.programs.join(', ')}: ${from === to ? from : `from ${from} to ${to}`}`];
  }

  /** Describes the batch to every program that is submitted from now on. Layout: kernels/common/frame.wgsl. */
  writeFrame(symbols: Symbols, frame: Frame): void {
    const words = new Uint32Array(12);
    words.set([
      symbols.tokens,
      symbols.targets,
      symbols.rows,
      frame.seed,
      frame.step,
      frame.micro,
      frame.training ? 1 : 0,
    ]);
    new Float32Array(words.buffer).set([frame.lossScale, frame.auxScale], 7);
    this.write('frame', words);
  }

  /** Frees every buffer; the device stays open. */
  close(): void {
    this.buffers.destroy();
  }
}

export function flopsOf({ flops }: Dispatch, symbols: Symbols): number {
  return flops.each * (flops.symbol ? symbols[flops.symbol] : 1);
}

function tooLarge(plan: Plan, dispatch: Dispatch, workgroups: number) {
  const { name } = plan.kernels[dispatch.variants[0].kernel];
  return fault(
    'batch-too-large',
    `kernel ${name} would need ${workgroups} workgroups in one direction, beyond WebGPU's ${MAX_WORKGROUPS}`,
  );
}
