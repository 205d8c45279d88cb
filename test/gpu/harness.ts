/**
 * Runs one kernel on the device for tests: specialise, upload, dispatch once, read back.
 *
 * Nothing crashes when a kernel reads or writes out of bounds, so the harness makes it show: every buffer is followed
 * by a guard of 64 floats inside the binding. Behind inputs the guard is NaN, so that a read past the end poisons the
 * result; behind outputs it is a pattern that must be intact afterwards. `write` outputs hold NaN before the run, so
 * that elements nobody wrote are found. The device has WebGPU's default limits, which every kernel must fit.
 */
import { test } from 'bun:test';
import { FRAME_FIELDS, type KernelSpec, type ParamValue, specialise } from '../../kernels/spec.ts';
import { type OpenedDevice, openDevice } from '../../src/gpu/device.ts';
import { Fault } from '../../src/report/fault.ts';

export type FrameField = (typeof FRAME_FIELDS)[number];
export type Data = Float32Array | Uint32Array;

export interface RunOptions {
  /** Counters default to 0, `loss_scale` and `aux_scale` to 1. */
  frame?: Partial<Record<FrameField, number>>;
  workgroups: [x: number, y?: number, z?: number];
}

const GUARD_WORDS = 64;
const NAN_BITS = 0x7fc00000;
const GPU_TEST_MS = 120_000;

/** Bun loads this module anew for each test file; the device stays. */
const KEEP = Symbol.for('mos.test.device');
type Kept = typeof globalThis & { [KEEP]?: Promise<OpenedDevice | null> };

async function open(): Promise<OpenedDevice | null> {
  try {
    return await openDevice({ wanted: { features: ['subgroups'] } });
  } catch (error) {
    if (error instanceof Fault && error.diagnostics[0].code === 'no-gpu') return null;
    throw error;
  }
}

const kept = globalThis as Kept;
kept[KEEP] ??= open();

/** The device all GPU tests share; null where the machine has no adapter at all. */
export const gpu: OpenedDevice | null = await kept[KEEP];

/** A test that needs a GPU; without one it is skipped, and its name says why. */
export function gpuTest(name: string, fn: () => void | Promise<void>, timeout = GPU_TEST_MS): void {
  if (gpu) test(name, fn, timeout);
  else test.skip(`${name} (no GPU adapter)`, fn);
}

/** A test of kernels for subgroups of four, which only some devices have. */
export const quadTest: typeof gpuTest = (name, fn, timeout = GPU_TEST_MS) => {
  const { subgroupMinSize, subgroupMaxSize } = gpu?.device.adapterInfo ?? {};
  if (!gpu || (subgroupMinSize === 4 && subgroupMaxSize === 4)) gpuTest(name, fn, timeout);
  else test.skip(`${name} (no subgroups of four)`, fn);
};

/** ‖out − ref‖ / ‖ref‖; absolute when the reference is all zeros. NaN when `out` holds one. */
export function relativeError(out: ArrayLike<number>, ref: ArrayLike<number>): number {
  if (out.length !== ref.length) throw new Error(`${out.length} values, ${ref.length} expected`);
  let difference = 0;
  let norm = 0;
  for (let i = 0; i < ref.length; i++) {
    difference += (out[i] - ref[i]) ** 2;
    norm += ref[i] ** 2;
  }
  return Math.sqrt(norm === 0 ? difference : difference / norm);
}

/**
 * Dispatches `spec` once and returns every `write` and `read_write` binding that was passed, in the kind it was passed.
 * `write` outputs are given as arrays of the right length (their content is ignored). A binding that is not passed gets
 * 256 bytes of zeros. Throws on compile errors, WebGPU errors and damaged guards.
 */
export async function runKernel(
  spec: KernelSpec,
  params: Record<string, ParamValue>,
  buffers: Record<string, Data>,
  options: RunOptions,
): Promise<Record<string, Data>> {
  const { device } = requireGpu();
  const unknown = Object.keys(buffers).filter(name => !spec.bindings.some(b => b.name === name));
  if (unknown.length > 0) throw new Error(`${spec.name} has no binding ${unknown.join(', ')}`);
  const pipeline = await pipelineFor(spec, params);

  device.pushErrorScope('validation');
  device.pushErrorScope('out-of-memory');
  const used: GPUBuffer[] = [];
  const outputs: { name: string; given: Data; buffer: GPUBuffer; back: GPUBuffer }[] = [];
  try {
    const entries = spec.bindings.map((binding, index): GPUBindGroupEntry => {
      const given =
        index === 0 && binding.name === 'frame' ? frameWords(options.frame) : buffers[binding.name];
      const content = contentOf(binding.access, given);
      const buffer = upload(device, content, binding.access === 'uniform');
      used.push(buffer);
      if (given && (binding.access === 'write' || binding.access === 'read_write')) {
        const back = device.createBuffer({
          size: content.byteLength,
          usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST,
        });
        used.push(back);
        outputs.push({ name: binding.name, given, buffer, back });
      }
      return { binding: index, resource: { buffer } };
    });
    const encoder = device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    pass.setPipeline(pipeline);
    pass.setBindGroup(0, device.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries }));
    pass.dispatchWorkgroups(...(options.workgroups as [number, number?, number?]));
    pass.end();
    for (const { buffer, back } of outputs) encoder.copyBufferToBuffer(buffer, 0, back, 0, buffer.size);
    device.queue.submit([encoder.finish()]);
    const errors = [await device.popErrorScope(), await device.popErrorScope()].filter(
      error => error !== null,
    );
    if (errors.length > 0) throw new Error(`${spec.name}: ${errors.map(error => error.message).join('\n')}`);

    const results: Record<string, Data> = {};
    for (const { name, given, back } of outputs) {
      await back.mapAsync(GPUMapMode.READ);
      const words = new Uint32Array(back.getMappedRange().slice(0));
      checkGuard(words, given.length, `${spec.name}: ${name}`);
      results[name] =
        given instanceof Uint32Array
          ? words.slice(0, given.length)
          : new Float32Array(words.buffer, 0, given.length).slice();
    }
    requireGpu().check();
    return results;
  } finally {
    for (const buffer of used) buffer.destroy();
  }
}

function requireGpu(): OpenedDevice {
  if (!gpu) throw new Error('no GPU adapter: use gpuTest');
  return gpu;
}

/** The uniform `frame`: kernels/common/frame.wgsl. */
function frameWords(fields: RunOptions['frame'] = {}): Uint32Array<ArrayBuffer> {
  const words = new Uint32Array(12);
  const floats = new Float32Array(words.buffer);
  FRAME_FIELDS.forEach((field, i) => {
    const isFloat = field === 'loss_scale' || field === 'aux_scale';
    if (isFloat) floats[i] = fields[field] ?? 1;
    else words[i] = fields[field] ?? 0;
  });
  return words;
}

/** What a buffer holds before the run, guard included. */
function contentOf(
  access: KernelSpec['bindings'][number]['access'],
  given: Data | undefined,
): Uint32Array<ArrayBuffer> {
  if (!given) return new Uint32Array(64);
  const words = new Uint32Array(given.buffer, given.byteOffset, given.length);
  if (access === 'uniform') return words.slice();
  const content = new Uint32Array(given.length + GUARD_WORDS);
  if (access === 'write') content.fill(NAN_BITS, 0, given.length);
  else content.set(words);
  for (let i = given.length; i < content.length; i++)
    content[i] = access === 'read' ? NAN_BITS : guardWord(i);
  return content;
}

/** Differs from word to word, so that copying a neighbour over one shows too. Read as f32: NaNs. */
function guardWord(index: number): number {
  return (0xffc0de00 + (index % 251)) >>> 0;
}

function checkGuard(words: Uint32Array, length: number, what: string): void {
  for (let i = length; i < words.length; i++) {
    if (words[i] !== guardWord(i)) {
      throw new Error(`${what}: the kernel wrote element ${i}, past the end of ${length} elements`);
    }
  }
}

function upload(device: GPUDevice, content: Uint32Array<ArrayBuffer>, uniform: boolean): GPUBuffer {
  const { UNIFORM, STORAGE, COPY_SRC, COPY_DST } = GPUBufferUsage;
  // Uniform structs are read in whole vec4s.
  const size = Math.ceil(content.byteLength / 16) * 16;
  const buffer = device.createBuffer({
    size: uniform ? size : content.byteLength,
    usage: (uniform ? UNIFORM : STORAGE) | COPY_SRC | COPY_DST,
  });
  device.queue.writeBuffer(buffer, 0, content);
  return buffer;
}

/** Pipelines of this module's life, by WGSL text and accesses. */
const pipelines = new Map<string, Promise<GPUComputePipeline>>();

/** Specialises and compiles; also for tests that only want to know whether a kernel compiles. */
export function pipelineFor(
  spec: KernelSpec,
  params: Record<string, ParamValue>,
): Promise<GPUComputePipeline> {
  const code = specialise(spec.wgsl, params);
  const key = JSON.stringify([code, spec.bindings.map(b => b.access)]);
  let pipeline = pipelines.get(key);
  if (!pipeline) {
    pipeline = compile(spec, code);
    pipelines.set(key, pipeline);
  }
  return pipeline;
}

async function compile(spec: KernelSpec, code: string): Promise<GPUComputePipeline> {
  const { device } = requireGpu();
  const layoutTypes = {
    uniform: 'uniform',
    read: 'read-only-storage',
    write: 'storage',
    read_write: 'storage',
  } as const;
  device.pushErrorScope('validation');
  const module = device.createShaderModule({ code, label: spec.name });
  const { messages } = await module.getCompilationInfo();
  const layout = device.createBindGroupLayout({
    label: spec.name,
    entries: spec.bindings.map((b, binding) => ({
      binding,
      visibility: GPUShaderStage.COMPUTE,
      buffer: { type: layoutTypes[b.access] },
    })),
  });
  const pipeline = device.createComputePipeline({
    label: spec.name,
    layout: device.createPipelineLayout({ bindGroupLayouts: [layout] }),
    compute: { module, entryPoint: 'main' },
  });
  const error = await device.popErrorScope();
  const bad = messages.filter(message => message.type === 'error');
  if (bad.length > 0)
    throw new Error(`${spec.name} does not compile\n${bad.map(m => showMessage(code, m)).join('\n')}`);
  if (error) throw new Error(`${spec.name}: ${error.message}`);
  return pipeline;
}

/** The message under its WGSL lines, as a compiler would print it. */
function showMessage(code: string, message: GPUCompilationMessage): string {
  const lines = code.split('\n');
  const at = message.lineNum;
  const shown = lines
    .slice(Math.max(0, at - 3), at)
    .map((line, i, all) => `${String(at - all.length + 1 + i).padStart(5)} | ${line}`);
  return [...shown, `${' '.repeat(7 + message.linePos)}^ ${message.message}`].join('\n');
}
