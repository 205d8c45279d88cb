/**
 * Runs a plan: buffers, pipelines and bind groups are built once, then programs are replayed. Knows plans only, never
 * the language. Everything that changes per step is data in buffers.
 */
import {
  type Dispatch,
  evaluate,
  type Plan,
  type PlanBuffer,
  type SizeSymbol,
} from '../../compiler/plan/schema.ts';
import { gpuFault, type OpenedDevice } from '../gpu/device.ts';
import { fault } from '../report/fault.ts';
import { type TensorSource, uploadWeights } from './upload-weights.ts';

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
  /** Called between stages of loading. */
  onPhase?: (phase: string) => void;
}

interface Submit {
  programs: string[];
  first: Dispatch;
  last: Dispatch;
}

interface Prepared {
  pipeline: GPUComputePipeline;
  bindGroup: GPUBindGroup;
  grid: Dispatch['variants'][number]['grid'];
  dispatch: Dispatch;
}

/** A slow device gets submits of about half a second of work, below any watchdog. */
const SOFTWARE_FLOPS_PER_SUBMIT = 1e9;
const HARDWARE_FLOPS_PER_SUBMIT = 2e12;
const MAX_WORKGROUPS = 65535;
const LAYOUT_TYPES = {
  uniform: 'uniform',
  read: 'read-only-storage',
  write: 'storage',
  read_write: 'storage',
} as const;

export class Executor {
  readonly plan: Plan;
  readonly opened: OpenedDevice;
  private readonly device: GPUDevice;
  private readonly files: ReadonlyMap<string, string>;
  private readonly buffers: GPUBuffer[] = [];
  private readonly pipelines = new Map<number, Promise<GPUComputePipeline>>();
  private readonly programs = new Map<string, Promise<Prepared[]>>();
  /** Whether the hardware variants of kernels are taken. */
  readonly hardware: boolean;
  private readonly staging = new Map<number, GPUBuffer[]>();
  /** Totals since opening, for reports and tests. */
  readonly counters = { dispatches: 0, submits: 0, buffers: 0 };
  /** Submits the GPU has not finished, oldest first. */
  private readonly open = new Set<Submit>();

  private constructor(
    plan: Plan,
    files: ReadonlyMap<string, string>,
    opened: OpenedDevice,
    options: ExecutorOptions,
  ) {
    this.plan = plan;
    this.files = files;
    this.opened = opened;
    this.device = opened.device;
    this.hardware = options.hardwareVariants ?? !opened.software;
  }

  /** Allocates every buffer and fills the constant ones. Throws `gpu-out-of-memory` with the bytes that were wanted. */
  static async open(
    plan: Plan,
    files: ReadonlyMap<string, string>,
    opened: OpenedDevice,
    tensors: TensorSource,
    options: ExecutorOptions = {},
  ): Promise<Executor> {
    const executor = new Executor(plan, files, opened, options);
    try {
      options.onPhase?.('allocating buffers');
      await executor.allocate();
      options.onPhase?.('loading weights');
      for (const [i, buffer] of plan.buffers.entries()) {
        if (buffer.content) await executor.fill(i, buffer, tensors);
      }
      // A lost device swallows all of this without a word; only mapping tells.
      await executor.readRanges('frame', [{ offset: 0, count: 1 }]);
      return executor;
    } catch (error) {
      await opened.settled();
      opened.check();
      throw error;
    }
  }

  private async allocate(): Promise<void> {
    const { device, plan } = this;
    const uniforms = new Set<number>();
    for (const dispatch of Object.values(plan.programs).flat()) {
      plan.kernels[dispatch.variants[0].kernel].bindings.forEach((b, i) => {
        if (b.access === 'uniform') uniforms.add(dispatch.bindings[i].buffer);
      });
    }
    device.pushErrorScope('out-of-memory');
    device.pushErrorScope('validation');
    const { STORAGE, UNIFORM, COPY_SRC, COPY_DST } = GPUBufferUsage;
    for (const [i, buffer] of plan.buffers.entries()) {
      const usage = (uniforms.has(i) ? UNIFORM : STORAGE) | COPY_SRC | COPY_DST;
      this.buffers.push(device.createBuffer({ label: buffer.name, size: buffer.bytes, usage }));
      this.counters.buffers++;
    }
    const error = (await device.popErrorScope()) ?? (await device.popErrorScope());
    if (error) {
      const total = plan.buffers.reduce((sum, b) => sum + b.bytes, 0);
      throw gpuFault(
        error,
        `allocating ${(total / 2 ** 20).toFixed(0)} MiB in ${plan.buffers.length} buffers`,
      );
    }
  }

  private async fill(index: number, buffer: PlanBuffer, tensors: TensorSource): Promise<void> {
    const content = buffer.content!;
    switch (content.kind) {
      case 'weights':
        return uploadWeights(this.device, this.buffers[index], content, tensors);
      case 'words':
        return this.device.queue.writeBuffer(this.buffers[index], 0, Uint32Array.from(content.values));
      case 'groups':
        return this.device.queue.writeBuffer(
          this.buffers[index],
          0,
          expandRuns(this.plan.groupRuns, buffer.bytes / 4),
        );
      case 'rope':
        return this.device.queue.writeBuffer(
          this.buffers[index],
          0,
          ropeTable(content.frequencies, content.positions),
        );
      default:
        content satisfies never;
    }
  }

  private indexOf(name: string): number {
    const index = this.plan.buffers.findIndex(b => b.name === name);
    if (index < 0) throw new Error(`bug: the plan has no buffer ${name}`);
    return index;
  }

  has(name: string): boolean {
    return this.plan.buffers.some(b => b.name === name);
  }

  /** Writes words or floats at the start of a buffer. */
  write(name: string, data: Float32Array | Uint32Array, offset = 0): void {
    this.device.queue.writeBuffer(
      this.buffers[this.indexOf(name)],
      offset * 4,
      data as Float32Array<ArrayBuffer>,
    );
  }

  /** Zeroes a buffer. */
  clear(...names: string[]): void {
    const encoder = this.device.createCommandEncoder();
    for (const name of names) encoder.clearBuffer(this.buffers[this.indexOf(name)]);
    this.device.queue.submit([encoder.finish()]);
  }

  /** Reads the first `count` words of a buffer after everything submitted so far; a lost device is a fault here. */
  read(name: string, count: number): Promise<Float32Array<ArrayBuffer>> {
    return this.readRanges(name, [{ offset: 0, count }]);
  }

  /** Reads several ranges of words of a buffer, one after another in the result. */
  async readRanges(
    name: string,
    ranges: { offset: number; count: number }[],
  ): Promise<Float32Array<ArrayBuffer>> {
    const encoder = this.device.createCommandEncoder();
    const bytes = 4 * ranges.reduce((sum, r) => sum + r.count, 0);
    const back = this.borrow(bytes);
    let at = 0;
    for (const { offset, count } of ranges) {
      encoder.copyBufferToBuffer(this.buffers[this.indexOf(name)], offset * 4, back, at, count * 4);
      at += count * 4;
    }
    this.device.queue.submit([encoder.finish()]);
    await back.mapAsync(GPUMapMode.READ, 0, bytes).catch(async (error: unknown) => {
      await this.opened.settled();
      const reason = this.opened.failure()?.diagnostics[0];
      if (reason && reason.code !== 'gpu-lost') this.opened.check();
      const message =
        reason?.message ??
        `the GPU was lost while reading ${name}: ${error instanceof Error ? error.message : error}`;
      throw fault('gpu-lost', message, { notes: [...(reason?.notes ?? []), ...this.unfinished()] });
    });
    const result = new Float32Array(back.getMappedRange(0, bytes).slice(0));
    back.unmap();
    this.staging.get(back.size)!.push(back);
    this.opened.check();
    return result;
  }

  /** Read-back buffers are kept by size: a steady state creates none. */
  private borrow(bytes: number): GPUBuffer {
    const size = 2 ** Math.ceil(Math.log2(Math.max(bytes, 256)));
    const free = this.staging.get(size) ?? [];
    this.staging.set(size, free);
    const ready = free.pop();
    if (ready) return ready;
    this.counters.buffers++;
    return this.device.createBuffer({ size, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST });
  }

  /** Compiles the pipelines of programs ahead of their first run. */
  async prepare(...names: string[]): Promise<void> {
    for (const name of names) await this.program(name);
  }

  private program(name: string): Promise<Prepared[]> {
    let prepared = this.programs.get(name);
    if (!prepared) {
      const dispatches = this.plan.programs[name];
      if (!dispatches) throw new Error(`bug: the plan has no program ${name}`);
      prepared = Promise.all(dispatches.map(d => this.prepareDispatch(d)));
      this.programs.set(name, prepared);
    }
    return prepared;
  }

  private async prepareDispatch(dispatch: Dispatch): Promise<Prepared> {
    const variant = dispatch.variants.findLast(v => !v.hardware || this.hardware)!;
    let compiling = this.pipelines.get(variant.kernel);
    if (!compiling) {
      compiling = this.compile(variant.kernel, dispatch);
      this.pipelines.set(variant.kernel, compiling);
    }
    const pipeline = await compiling;
    const entries = dispatch.bindings.map((view, binding) => ({
      binding,
      resource: { buffer: this.buffers[view.buffer], offset: view.offset, size: view.bytes },
    }));
    const bindGroup = this.device.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries });
    return { pipeline, bindGroup, grid: variant.grid, dispatch };
  }

  private async compile(index: number, dispatch: Dispatch): Promise<GPUComputePipeline> {
    const { name, file, bindings } = this.plan.kernels[index];
    const { device } = this;
    const code = this.files.get(file);
    if (code === undefined) throw fault('plan-damaged', `the plan lists ${file}, which is missing`);
    // An error here would otherwise count as one that nobody expected, and spoil the device for good.
    device.pushErrorScope('validation');
    const module = device.createShaderModule({ code, label: name });
    const layout = device.createBindGroupLayout({
      entries: bindings.map(({ access }, binding) => ({
        binding,
        visibility: GPUShaderStage.COMPUTE,
        buffer: { type: LAYOUT_TYPES[access] },
      })),
    });
    const pipelineLayout = device.createPipelineLayout({ bindGroupLayouts: [layout] });
    const invalid = device.popErrorScope();
    try {
      const pipeline = device.createComputePipelineAsync({
        label: name,
        layout: pipelineLayout,
        compute: { module, entryPoint: 'main' },
      });
      const [error, ready] = await Promise.all([invalid, pipeline]);
      if (error) throw error;
      return ready;
    } catch (error) {
      await this.opened.settled();
      this.opened.check();
      const { messages } = await module.getCompilationInfo();
      const reasons = messages
        .filter(m => m.type === 'error')
        .map(m => `${file}:${m.lineNum}:${m.linePos}: ${m.message}`);
      const { file: source, line, column, module: path } = this.plan.origins[dispatch.origin];
      const reason =
        reasons.length > 0
          ? reasons
          : [error instanceof GPUError || error instanceof Error ? error.message : String(error)];
      throw fault('kernel-rejected', `the GPU rejects kernel ${name}`, {
        notes: [...reason, `used for ${path}, from ${source}:${line}:${column}`],
      });
    }
  }

  /** Runs programs one after another on the batch described by the symbols. Returns when all of it is submitted. */
  async run(names: string[], symbols: Symbols, frame: Frame): Promise<void> {
    this.writeFrame(symbols, frame);
    const limit = this.opened.software ? SOFTWARE_FLOPS_PER_SUBMIT : HARDWARE_FLOPS_PER_SUBMIT;
    let encoder = this.device.createCommandEncoder();
    let pass = encoder.beginComputePass();
    let pending = 0;
    let first: Dispatch | undefined;
    let last: Dispatch | undefined;
    const submit = () => {
      pass.end();
      this.device.queue.submit([encoder.finish()]);
      this.counters.submits++;
      if (first && last) this.follow({ programs: names, first, last });
    };
    for (const { pipeline, bindGroup, grid, dispatch } of (
      await Promise.all(names.map(n => this.program(n)))
    ).flat()) {
      const [x, y, z] = grid.map(size => evaluate(size, symbols));
      if (x * y * z === 0) continue;
      if (Math.max(x, y, z) > MAX_WORKGROUPS) throw tooLarge(this.plan, dispatch, Math.max(x, y, z));
      pass.setPipeline(pipeline);
      pass.setBindGroup(0, bindGroup);
      pass.dispatchWorkgroups(x, y, z);
      this.counters.dispatches++;
      first ??= dispatch;
      last = dispatch;
      pending += flopsOf(dispatch, symbols);
      if (pending < limit) continue;
      submit();
      encoder = this.device.createCommandEncoder();
      pass = encoder.beginComputePass();
      pending = 0;
      first = undefined;
    }
    submit();
  }

  private follow(submit: Submit): void {
    this.open.add(submit);
    const done = () => {
      // After a loss everything counts as done, although it is not.
      if (!this.opened.failure()) this.open.delete(submit);
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

  /** Layout: kernels/common/frame.wgsl. */
  private writeFrame(symbols: Symbols, frame: Frame): void {
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
    for (const buffer of this.buffers) buffer.destroy();
    for (const buffers of this.staging.values()) for (const buffer of buffers) buffer.destroy();
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

/** Writes runs of [value, count] out in full. */
function expandRuns(runs: Plan['groupRuns'], length: number): Uint32Array<ArrayBuffer> {
  const words = new Uint32Array(length);
  let at = 0;
  for (const [value, count] of runs) {
    words.fill(value, at, at + count);
    at += count;
  }
  return words;
}

/** [positions, 2·frequencies]: cosines, then sines, of position·frequency, computed in f64 because WGSL's are coarse. */
function ropeTable(frequencies: number[], positions: number): Float32Array<ArrayBuffer> {
  const half = frequencies.length;
  const table = new Float32Array(positions * 2 * half);
  for (let p = 0; p < positions; p++) {
    for (let i = 0; i < half; i++) {
      table[p * 2 * half + i] = Math.cos(p * frequencies[i]);
      table[p * 2 * half + half + i] = Math.sin(p * frequencies[i]);
    }
  }
  return table;
}
