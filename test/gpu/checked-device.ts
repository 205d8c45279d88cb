/**
 * A device that finds what WebGPU forgives. Robust access turns an index beyond the end of a buffer into one within, and
 * memory nobody wrote is zeros or yesterday's values; a plan that leans on either works until it is run elsewhere. Here
 *
 * - every dispatch runs on copies of exactly the ranges it is bound to, each followed by a guard within the binding.
 *   Guards are NaNs, so that what is read there poisons the result, and must be intact after the dispatch;
 * - every buffer is NaN until the host or a kernel writes it, and scratch memory again when a run begins and when a new
 *   value moves in; a kernel that reads a buffer which has no value yet is reported by name.
 *
 * `checkedDevice(device, plan).device` stands in for the device; afterwards `problems()` says what was found. It serves what
 * the executor uses of WebGPU: explicit layouts, one bind group, direct dispatches.
 */
import { createHash } from 'node:crypto';
import type { Plan, PlanKernel } from '../../compiler/plan/schema.ts';

/** Also the alignment of bindings, so a kernel that is off by a row of 64 floats still lands here. */
const GUARD_BYTES = 256;
const GUARD_WORDS = GUARD_BYTES / 4;
/** Guards that are read back together. */
const SLOTS = 256;
const POISON = 0x7fc0dead;

/** Differs from word to word, so that a copied neighbour shows too. Read as f32: NaNs. */
const guardWord = (index: number): number => (0xffc0de00 + index) >>> 0;

interface Tracked {
  name: string;
  bytes: number;
  /** Reused by liveness: nothing in it outlives a run. */
  scratch: boolean;
  written: boolean;
  /** Read since it was written: what is written next is another value. */
  read: boolean;
}

interface Bound {
  buffer: GPUBuffer;
  offset: number;
  bytes: number;
  /** Absent for uniforms, which are bound as they are. */
  copy?: GPUBuffer;
}

/** Guards after their dispatches, and whose they are. */
interface Evidence {
  buffer: GPUBuffer;
  owners: string[];
}

export interface CheckedDevice {
  device: GPUDevice;
  /** Everything found so far, each thing once. */
  problems(): Promise<string[]>;
}

export function checkedDevice(real: GPUDevice, plan: Plan): CheckedDevice {
  return new Checker(real, plan);
}

class Checker implements CheckedDevice {
  readonly device: GPUDevice;
  readonly #real: GPUDevice;
  readonly #roles: Map<string, Plan['buffers'][number]['role']>;
  readonly #kernels: Map<string, PlanKernel>;
  readonly #modules = new Map<GPUShaderModule, PlanKernel>();
  readonly #pipelines = new Map<GPUComputePipeline, PlanKernel>();
  readonly #groups = new Map<GPUBindGroup, Bound[]>();
  readonly #buffers = new Map<GPUBuffer, Tracked>();
  readonly #copies = new Map<string, GPUBuffer>();
  readonly #commands = new Map<GPUCommandBuffer, Evidence[]>();
  readonly #found = new Set<string>();
  readonly #reading: Promise<void>[] = [];
  readonly #guard: GPUBuffer;
  readonly #poison: GPUBuffer;

  constructor(real: GPUDevice, plan: Plan) {
    this.#real = real;
    this.#roles = new Map(plan.buffers.map(b => [b.name, b.role]));
    this.#kernels = new Map(plan.kernels.map(k => [k.sha256, k]));
    const largest = Math.max(...plan.buffers.map(b => b.bytes));
    this.#guard = this.#filled(GUARD_BYTES, guardWord);
    this.#poison = this.#filled(largest, () => POISON);
    this.device = this.#replace(real, {
      queue: this.#queue(),
      createBuffer: d => this.#createBuffer(d),
      createShaderModule: d => this.#createShaderModule(d),
      createComputePipelineAsync: d => this.#createPipeline(d),
      createBindGroup: d => this.#createBindGroup(d),
      createCommandEncoder: d => this.#encoder(real.createCommandEncoder(d)),
    });
  }

  async problems(): Promise<string[]> {
    await Promise.all(this.#reading);
    return [...this.#found];
  }

  /** `target` with some members replaced; the others are called on the real one, whose methods insist on that. */
  #replace<T extends object>(target: T, members: Partial<T>): T {
    return new Proxy(target, {
      get(_, key) {
        const value = Object.hasOwn(members, key) ? members[key as keyof T] : target[key as keyof T];
        return typeof value === 'function'
          ? value.bind(Object.hasOwn(members, key) ? members : target)
          : value;
      },
    });
  }

  #filled(bytes: number, word: (index: number) => number): GPUBuffer {
    const buffer = this.#real.createBuffer({
      size: bytes,
      usage: GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST,
    });
    this.#real.queue.writeBuffer(
      buffer,
      0,
      Uint32Array.from({ length: bytes / 4 }, (_, i) => word(i)),
    );
    return buffer;
  }

  #createBuffer(descriptor: GPUBufferDescriptor): GPUBuffer {
    const buffer = this.#real.createBuffer(descriptor);
    const { label: name = '', size: bytes } = descriptor;
    const role = this.#roles.get(name);
    if (role === undefined) return buffer;
    // The frame is read once while loading, to see whether the device lives.
    const written = role === 'frame';
    this.#buffers.set(buffer, { name, bytes, scratch: role === 'scratch', written, read: false });
    const encoder = this.#real.createCommandEncoder();
    encoder.copyBufferToBuffer(this.#poison, 0, buffer, 0, bytes);
    this.#real.queue.submit([encoder.finish()]);
    return buffer;
  }

  #createShaderModule(descriptor: GPUShaderModuleDescriptor): GPUShaderModule {
    const module = this.#real.createShaderModule(descriptor);
    const kernel = this.#kernels.get(createHash('sha256').update(descriptor.code).digest('hex'));
    if (!kernel) throw new Error(`${descriptor.label}: a shader that the plan does not have`);
    this.#modules.set(module, kernel);
    return module;
  }

  async #createPipeline(descriptor: GPUComputePipelineDescriptor): Promise<GPUComputePipeline> {
    const pipeline = await this.#real.createComputePipelineAsync(descriptor);
    this.#pipelines.set(pipeline, this.#modules.get(descriptor.compute.module)!);
    return pipeline;
  }

  #createBindGroup(descriptor: GPUBindGroupDescriptor): GPUBindGroup {
    const bound = [...descriptor.entries].map(({ binding, resource }): Bound => {
      const { buffer, offset = 0, size = buffer.size - offset } = resource as GPUBufferBinding;
      if (!(buffer.usage & GPUBufferUsage.STORAGE)) return { buffer, offset, bytes: size };
      return { buffer, offset, bytes: size, copy: this.#copyFor(binding, size) };
    });
    const entries = bound.map(({ buffer, offset, bytes, copy }, binding) => ({
      binding,
      resource: copy ? { buffer: copy } : { buffer, offset, size: bytes },
    }));
    const group = this.#real.createBindGroup({ ...descriptor, entries });
    this.#groups.set(group, bound);
    return group;
  }

  /** Dispatches follow one another, so those that bind as many bytes at one place share the copy. */
  #copyFor(binding: number, bytes: number): GPUBuffer {
    const key = `${binding}:${bytes}`;
    let copy = this.#copies.get(key);
    if (!copy) {
      const { STORAGE, COPY_SRC, COPY_DST } = GPUBufferUsage;
      copy = this.#real.createBuffer({ size: bytes + GUARD_BYTES, usage: STORAGE | COPY_SRC | COPY_DST });
      this.#copies.set(key, copy);
    }
    return copy;
  }

  #queue(): GPUQueue {
    const { queue } = this.#real;
    return this.#replace(queue, {
      writeBuffer: (buffer: GPUBuffer, ...rest) => {
        queue.writeBuffer(buffer, ...rest);
        const tracked = this.#buffers.get(buffer);
        if (!tracked) return;
        tracked.written = true;
        if (this.#roles.get(tracked.name) === 'frame') this.#beginRun();
      },
      submit: commands => {
        queue.submit(commands);
        for (const command of commands) {
          for (const evidence of this.#commands.get(command) ?? [])
            this.#reading.push(this.#inspect(evidence));
          this.#commands.delete(command);
        }
      },
    } as Partial<GPUQueue>);
  }

  /** The frame is written first in every run. */
  #beginRun(): void {
    const encoder = this.#real.createCommandEncoder();
    for (const [buffer, tracked] of this.#buffers) {
      if (!tracked.scratch || !tracked.written) continue;
      encoder.copyBufferToBuffer(this.#poison, 0, buffer, 0, tracked.bytes);
      tracked.written = false;
    }
    this.#real.queue.submit([encoder.finish()]);
  }

  #encoder(encoder: GPUCommandEncoder): GPUCommandEncoder {
    const evidence: Evidence[] = [];
    return this.#replace(encoder, {
      clearBuffer: (buffer, ...rest) => {
        encoder.clearBuffer(buffer, ...rest);
        this.#wrote(buffer);
      },
      copyBufferToBuffer: ((
        from: GPUBuffer,
        fromOffset: number,
        to: GPUBuffer,
        toOffset: number,
        bytes: number,
      ) => {
        encoder.copyBufferToBuffer(from, fromOffset, to, toOffset, bytes);
        this.#readBy('a copy', from);
        this.#wrote(to);
      }) as GPUCommandEncoder['copyBufferToBuffer'],
      beginComputePass: () => this.#pass(encoder, evidence),
      finish: descriptor => {
        const command = encoder.finish(descriptor);
        this.#commands.set(command, evidence);
        return command;
      },
    });
  }

  /** Copies cannot be made inside a pass, so every dispatch gets one of its own. */
  #pass(encoder: GPUCommandEncoder, evidence: Evidence[]): GPUComputePassEncoder {
    let pipeline: GPUComputePipeline | undefined;
    let group: GPUBindGroup | undefined;
    const pass = {
      setPipeline(chosen: GPUComputePipeline) {
        pipeline = chosen;
      },
      setBindGroup(_: number, chosen: GPUBindGroup) {
        group = chosen;
      },
      dispatchWorkgroups: (x: number, y = 1, z = 1) => {
        const kernel = this.#pipelines.get(pipeline!)!;
        const bound = this.#groups.get(group!)!;
        this.#before(encoder, kernel, bound);
        const real = encoder.beginComputePass({ label: kernel.name });
        real.setPipeline(pipeline!);
        real.setBindGroup(0, group!);
        real.dispatchWorkgroups(x, y, z);
        real.end();
        this.#after(encoder, kernel, bound, evidence);
      },
      end() {},
    };
    return pass as unknown as GPUComputePassEncoder;
  }

  #before(encoder: GPUCommandEncoder, { name, bindings }: PlanKernel, bound: Bound[]): void {
    for (const [i, { buffer, offset, bytes, copy }] of bound.entries()) {
      const { access, name: binding } = bindings[i];
      const tracked = this.#buffers.get(buffer);
      if (access !== 'write') this.#readBy(`${name} (${binding})`, buffer);
      else if (tracked?.scratch && tracked.written && tracked.read) {
        encoder.copyBufferToBuffer(this.#poison, 0, buffer, 0, tracked.bytes);
        tracked.read = false;
      }
      if (!copy) continue;
      encoder.copyBufferToBuffer(buffer, offset, copy, 0, bytes);
      encoder.copyBufferToBuffer(this.#guard, 0, copy, bytes, GUARD_BYTES);
    }
  }

  #after(
    encoder: GPUCommandEncoder,
    { name, bindings }: PlanKernel,
    bound: Bound[],
    evidence: Evidence[],
  ): void {
    for (const [i, { buffer, offset, bytes, copy }] of bound.entries()) {
      if (!copy || bindings[i].access === 'read') continue;
      encoder.copyBufferToBuffer(copy, 0, buffer, offset, bytes);
      this.#wrote(buffer);
      let last = evidence.at(-1);
      if (!last || last.owners.length === SLOTS) {
        const usage = GPUBufferUsage.COPY_DST | GPUBufferUsage.MAP_READ;
        last = { buffer: this.#real.createBuffer({ size: SLOTS * GUARD_BYTES, usage }), owners: [] };
        evidence.push(last);
      }
      encoder.copyBufferToBuffer(copy, bytes, last.buffer, last.owners.length * GUARD_BYTES, GUARD_BYTES);
      last.owners.push(
        `${name} wrote past the end of ${bindings[i].name} (${this.#buffers.get(buffer)?.name})`,
      );
    }
  }

  async #inspect({ buffer, owners }: Evidence): Promise<void> {
    await buffer.mapAsync(GPUMapMode.READ);
    const words = new Uint32Array(buffer.getMappedRange());
    for (const [slot, owner] of owners.entries()) {
      const guard = words.subarray(slot * GUARD_WORDS, (slot + 1) * GUARD_WORDS);
      if (guard.some((word, i) => word !== guardWord(i))) this.#found.add(owner);
    }
    buffer.destroy();
  }

  #wrote(buffer: GPUBuffer): void {
    const tracked = this.#buffers.get(buffer);
    if (!tracked) return;
    tracked.written = true;
    tracked.read = false;
  }

  #readBy(who: string, buffer: GPUBuffer): void {
    const tracked = this.#buffers.get(buffer);
    if (!tracked) return;
    if (!tracked.written) this.#found.add(`${who} read ${tracked.name}, which has no value yet`);
    tracked.read = true;
  }
}
