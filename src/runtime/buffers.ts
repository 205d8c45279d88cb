/** The buffers of a plan on a device: made when first needed, constant ones filled, then written and read by name. */
import type { Plan, PlanBuffer } from '../../compiler/plan/schema.ts';
import { buffersFor } from '../../compiler/plan/uses.ts';
import { fault } from '../report/portable.ts';
import { gpuFault, type Watched } from './device.ts';
import { type TensorSource, uploadWeights } from './upload-weights.ts';

/** WebGPU's flags by value: Dawn has them as globals only where somebody put them. */
export const USAGE = { MAP_READ: 1, COPY_SRC: 4, COPY_DST: 8, UNIFORM: 64, STORAGE: 128 } as const;
const MAP_READ_MODE = 1;

/** A range of words. */
export interface Range {
  offset: number;
  count: number;
}

export class PlanBuffers {
  /** In the order of the plan; those that no program has needed yet are absent. */
  private readonly all: (GPUBuffer | undefined)[];
  /** Indices of those that are bound as uniforms. */
  private readonly uniforms = new Set<number>();
  /** Buffers made since opening. */
  made = 0;
  private readonly plan: Plan;
  private readonly watched: Watched;
  private readonly index: ReadonlyMap<string, number>;
  private readonly staging = new Map<number, GPUBuffer[]>();

  constructor(plan: Plan, watched: Watched) {
    this.plan = plan;
    this.watched = watched;
    this.index = new Map(plan.buffers.map((b, i) => [b.name, i]));
    this.all = new Array(plan.buffers.length).fill(undefined);
    for (const dispatch of Object.values(plan.programs).flat()) {
      plan.kernels[dispatch.variants[0].kernel].bindings.forEach((b, i) => {
        if (b.access === 'uniform') this.uniforms.add(dispatch.bindings[i].buffer);
      });
    }
  }

  /** Makes what these programs need and is not there yet. Throws `gpu-out-of-memory` with the bytes that were wanted. */
  async allocate(programs: string[]): Promise<void> {
    const { buffers } = this.plan;
    // matrices of ports are mostly the caller's
    const ports = new Set(this.plan.ports?.flatMap(({ x, y, dx, dy }) => [x, y, dx, dy].map(m => m.buffer)));
    const missing = buffersFor(this.plan, programs).filter(i => !this.all[i] && !ports.has(i));
    if (missing.length === 0) return;
    const { device } = this.watched;
    device.pushErrorScope('out-of-memory');
    device.pushErrorScope('validation');
    for (const i of missing) this.at(i);
    const [invalid, full] = await Promise.all([device.popErrorScope(), device.popErrorScope()]);
    const error = full ?? invalid;
    if (error) {
      const total = missing.reduce((sum, i) => sum + buffers[i].bytes, 0);
      throw gpuFault(error, `allocating ${(total / 2 ** 20).toFixed(0)} MiB in ${missing.length} buffers`);
    }
  }

  /** The buffer with this index, made if need be: zeros. */
  at(index: number): GPUBuffer {
    const ready = this.all[index];
    if (ready) return ready;
    const { name, bytes } = this.plan.buffers[index];
    const kind = this.uniforms.has(index) ? USAGE.UNIFORM : USAGE.STORAGE;
    const usage = kind | USAGE.COPY_SRC | USAGE.COPY_DST;
    this.made++;
    const buffer = this.watched.device.createBuffer({ label: name, size: bytes, usage });
    this.all[index] = buffer;
    return buffer;
  }

  /** Gives every buffer the content the plan names. */
  async fill(tensors: TensorSource): Promise<void> {
    for (const [i, buffer] of this.plan.buffers.entries())
      if (buffer.content) await this.fillOne(this.at(i), buffer, tensors);
  }

  private async fillOne(
    target: GPUBuffer,
    { content, bytes }: PlanBuffer,
    tensors: TensorSource,
  ): Promise<void> {
    const { queue } = this.watched.device;
    switch (content?.kind) {
      case undefined:
        return;
      case 'weights':
        return uploadWeights(this.watched.device, target, content, tensors);
      case 'words':
        return queue.writeBuffer(target, 0, Uint32Array.from(content.values));
      case 'groups':
        return queue.writeBuffer(target, 0, expandRuns(this.plan.groupRuns, bytes / 4));
      case 'rope':
        return queue.writeBuffer(target, 0, ropeTable(content.frequencies, content.positions));
      default:
        content satisfies never;
    }
  }

  has(name: string): boolean {
    return this.index.has(name);
  }

  /** The buffer of this name; a name that the plan does not have is a bug of the caller. */
  get(name: string): GPUBuffer {
    const index = this.index.get(name);
    if (index === undefined) throw new Error(`bug: the plan has no buffer ${name}`);
    return this.at(index);
  }

  /** Writes words or floats; `offset` in words. */
  write(name: string, data: Float32Array | Uint32Array, offset = 0): void {
    this.watched.device.queue.writeBuffer(this.get(name), offset * 4, data as Float32Array<ArrayBuffer>);
  }

  /** Zeroes buffers. */
  clear(...names: string[]): void {
    const { device } = this.watched;
    const encoder = device.createCommandEncoder();
    for (const name of names) encoder.clearBuffer(this.get(name));
    device.queue.submit([encoder.finish()]);
  }

  /**
   * Reads ranges of a buffer, one after another in the result, after everything submitted so far. A lost device is the
   * fault `gpu-lost` here; `where` adds to its notes what the GPU was doing.
   */
  async read(name: string, ranges: Range[], where: () => string[]): Promise<Float32Array<ArrayBuffer>> {
    const { device } = this.watched;
    const encoder = device.createCommandEncoder();
    const bytes = 4 * ranges.reduce((sum, r) => sum + r.count, 0);
    const back = this.borrow(bytes);
    let at = 0;
    for (const { offset, count } of ranges) {
      encoder.copyBufferToBuffer(this.get(name), offset * 4, back, at, count * 4);
      at += count * 4;
    }
    device.queue.submit([encoder.finish()]);
    await back.mapAsync(MAP_READ_MODE, 0, bytes).catch(async (error: unknown) => {
      await this.watched.settled();
      const reason = this.watched.failure()?.diagnostics[0];
      if (reason && reason.code !== 'gpu-lost') this.watched.check();
      const message =
        reason?.message ??
        `the GPU was lost while reading ${name}: ${error instanceof Error ? error.message : error}`;
      throw fault('gpu-lost', message, { notes: [...(reason?.notes ?? []), ...where()] });
    });
    const result = new Float32Array(back.getMappedRange(0, bytes).slice(0));
    back.unmap();
    this.staging.get(back.size)!.push(back);
    this.watched.check();
    return result;
  }

  /** Read-back buffers are kept by size: a steady state creates none. */
  private borrow(bytes: number): GPUBuffer {
    const size = 2 ** Math.ceil(Math.log2(Math.max(bytes, 256)));
    const free = this.staging.get(size) ?? [];
    this.staging.set(size, free);
    const ready = free.pop();
    if (ready) return ready;
    this.made++;
    return this.watched.device.createBuffer({ size, usage: USAGE.MAP_READ | USAGE.COPY_DST });
  }

  destroy(): void {
    for (const buffer of [...this.all, ...[...this.staging.values()].flat()]) buffer?.destroy();
  }
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
