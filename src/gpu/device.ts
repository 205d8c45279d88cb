/**
 * Opens a WebGPU device through Dawn: a hardware adapter where there is one, the software GPU otherwise. Every way in
 * which a device can fail (no adapter, missing feature, small limits, wrong results, errors nobody caught, loss) leaves
 * here as a `Fault`. Robustness and validation are never switched off.
 */
import { applyInProcess } from '../host/environment.ts';
import { softwareGpu } from '../host/software-gpu.ts';
import { type Fault, fault } from '../report/fault.ts';
import { isSoftware, oneLine, type Watched, watchDevice } from '../runtime/device.ts';

export interface OpenOptions {
  /** Limits above WebGPU's defaults, in WebGPU's names and units. */
  limits?: Record<string, number>;
  features?: Iterable<GPUFeatureName>;
  /** Taken where the adapter offers it. `unsafe`: Dawn's experimental features are among what is offered. */
  wanted?: { features?: Iterable<string>; limits?: Record<string, number>; unsafe?: boolean };
  /** `auto` takes hardware and falls back to software. */
  choose?: 'auto' | 'hardware' | 'software';
  /** Called once per uncaught error and once when the device is lost without our doing. */
  onFault?: (fault: Fault) => void;
}

export interface OpenedDevice extends Watched {
  info: GPUAdapterInfo;
  /** Destroys the device; its loss is then no fault. */
  close(): void;
}

/** One adapter as Dawn offered it, and the request that brought it up. */
export interface Candidate {
  request: string;
  adapter: GPUAdapter;
  info: GPUAdapterInfo;
  software: boolean;
}

const REQUESTS: [name: string, options: GPURequestAdapterOptions][] = [
  ['high-performance', { powerPreference: 'high-performance' }],
  ['default', {}],
  ['low-power', { powerPreference: 'low-power' }],
  ['fallback', { forceFallbackAdapter: true }],
];

/** Dawn hides `shader-f16` on NVIDIA unless asked, and rounds timestamps to 65 µs. Validation is never switched off. */
const TOGGLES = 'enable-dawn-features=vulkan_enable_f16_on_nvidia';
const UNSAFE_TOGGLES = `${TOGGLES},allow_unsafe_apis`;
const EXACT_TIMESTAMPS = 'disable-dawn-features=timestamp_quantization';

/** Under Bun, Dawn's objects crash at garbage collection once this one is gone, so it lives as long as the process. */
const KEEP = Symbol.for('mos.dawn');
type Kept = typeof globalThis & { [KEEP]?: Map<boolean, Promise<GPU>> };

/** Dawn's entry point. Also gives the process WebGPU's globals (`GPUBufferUsage`, …). */
export function openGpu(unsafe = false): Promise<GPU> {
  const kept = globalThis as Kept;
  kept[KEEP] ??= new Map();
  const known = kept[KEEP].get(unsafe);
  if (known) return known;
  const opening = (async () => {
    await applyInProcess();
    const { create, globals } = await import('webgpu');
    Object.assign(globalThis, globals);
    return create([unsafe ? UNSAFE_TOGGLES : TOGGLES, EXACT_TIMESTAMPS]);
  })();
  kept[KEEP].set(unsafe, opening);
  return opening;
}

/** Every adapter that any kind of request brings up, each once; best first. `tried` says what came of each request. */
export async function listAdapters(unsafe = false): Promise<{ candidates: Candidate[]; tried: string[] }> {
  const tried: string[] = [];
  const candidates: Candidate[] = [];
  let gpu: GPU;
  try {
    gpu = await openGpu(unsafe);
  } catch (error) {
    return { candidates, tried: [`loading Dawn: ${oneLine(error)}`] };
  }
  for (const [request, options] of REQUESTS) {
    try {
      const adapter = await gpu.requestAdapter(options);
      if (!adapter) {
        tried.push(`${request}: none`);
        continue;
      }
      const info = adapter.info;
      const software = isSoftware(info);
      tried.push(`${request}: ${describe(info)}`);
      if (!candidates.some(c => describe(c.info) === describe(info))) {
        candidates.push({ request, adapter, info, software });
      }
    } catch (error) {
      tried.push(`${request}: ${oneLine(error)}`);
    }
  }
  candidates.sort((a, b) => Number(a.software) - Number(b.software));
  return { candidates, tried };
}

/** Opens the best adapter. Throws `no-gpu`, `gpu-feature-missing`, `gpu-limit` or `gpu-broken`. */
export async function openDevice(options: OpenOptions = {}): Promise<OpenedDevice> {
  const { candidates, tried } = await listAdapters(options.wanted?.unsafe);
  const choose = options.choose ?? 'auto';
  const chosen = candidates.find(c => choose === 'auto' || c.software === (choose === 'software'));
  if (!chosen) throw noGpu(choose, tried);
  const { adapter, info, software } = chosen;
  const name = describe(info);

  const features = [...(options.features ?? [])];
  const missing = features.filter(feature => !adapter.features.has(feature));
  if (missing.length > 0) {
    throw fault('gpu-feature-missing', `${name} does not offer ${missing.map(f => `\`${f}\``).join(', ')}`);
  }
  const limits = options.limits ?? {};
  checkLimits(name, adapter.limits, limits);
  const { features: more = [], limits: most = {} } = options.wanted ?? {};
  const wanted = [...more].filter(feature => adapter.features.has(feature)) as GPUFeatureName[];
  const offered = adapter.limits as unknown as Record<string, number | undefined>;
  const largest = Object.entries(most).filter(
    ([limit, value]) => !tooSmall(limit, offered[limit], value) && value > (limits[limit] ?? 0),
  );
  const device = await adapter
    .requestDevice({
      requiredFeatures: [...features, ...wanted],
      requiredLimits: { ...limits, ...Object.fromEntries(largest) },
    })
    .catch((error: unknown) => {
      throw fault('gpu-lost', `${name} gives no device: ${oneLine(error)}`);
    });
  const { onFault } = options;
  const watched = watchDevice(device, { software, claim: true, ...(onFault ? { onFault } : {}) });
  const opened = { ...watched, info };
  await selfTest(opened);
  return opened;
}

/** A device that somebody else opened and will close. Throws `gpu-limit` when it was opened for less than is needed. */
export function givenDevice(device: GPUDevice, { limits = {} }: OpenOptions = {}): OpenedDevice {
  const info = device.adapterInfo;
  checkLimits(describe(info), device.limits, limits);
  return { ...watchDevice(device), info, close: () => {} };
}

function checkLimits(name: string, offers: GPUSupportedLimits, limits: Record<string, number>): void {
  const offered = offers as unknown as Record<string, number | undefined>;
  const short = Object.entries(limits).filter(([limit, value]) => tooSmall(limit, offered[limit], value));
  if (short.length === 0) return;
  throw fault('gpu-limit', `${name} is too small for this`, {
    notes: short.map(([limit, value]) => `${limit}: ${value} needed, ${offered[limit] ?? 'nothing'} offered`),
  });
}

/** One plain line for the user when the work will be slow; nothing for hardware. */
export function softwareNotice({
  software,
  info,
}: {
  software: boolean;
  info: GPUAdapterInfo;
}): string | undefined {
  return software ? `no hardware GPU found: using ${describe(info)} (software), slow but exact` : undefined;
}

/** What a person would call it; Dawn gives names such as `nvidia-h200` and `swiftshader-device-subzero-`. */
export function describe(info: GPUAdapterInfo): string {
  if (/swiftshader/i.test(info.architecture)) return 'SwiftShader';
  return (
    info.device ||
    info.description ||
    [info.vendor, info.architecture].filter(Boolean).join(' ') ||
    'unnamed GPU'
  );
}

/** Alignments are better when smaller; every other limit when larger. */
function tooSmall(limit: string, offered: number | undefined, wanted: number): boolean {
  if (offered === undefined) return true;
  return /^min.*Alignment$/.test(limit) ? offered > wanted : offered < wanted;
}

function noGpu(choose: string, tried: string[]): Fault {
  const software = softwareGpu();
  const notes = tried.map(line => `tried ${line}`);
  if (!software.found) notes.push(software.why);
  const kind = choose === 'auto' ? '' : `${choose} `;
  const help = software.found
    ? 'on a hardware GPU, install its Vulkan driver; `mos devices` shows what was tried'
    : 'install a GPU driver with Vulkan, Metal or Direct3D 12; on x86-64 Linux, `bun install` brings a software GPU';
  return fault('no-gpu', `no ${kind}GPU could be opened`, { notes, help });
}

/** Doubles 64 numbers, so that a device which computes nothing (a null back end, a broken driver) is found out at once. */
async function selfTest({ device, info, check, settled }: OpenedDevice): Promise<void> {
  const count = 64;
  const code = `@group(0) @binding(0) var<storage, read_write> x: array<f32>;
@compute @workgroup_size(${count}) fn main(@builtin(local_invocation_index) i: u32) { x[i] = x[i] * 2.0 + 1.0; }`;
  const broken = (what: string) => fault('gpu-broken', `${describe(info)} fails a small test: ${what}`);
  const usage = GPUBufferUsage;
  const data = device.createBuffer({
    size: count * 4,
    usage: usage.STORAGE | usage.COPY_SRC | usage.COPY_DST,
  });
  const back = device.createBuffer({ size: count * 4, usage: usage.MAP_READ | usage.COPY_DST });
  try {
    device.queue.writeBuffer(
      data,
      0,
      Float32Array.from({ length: count }, (_, i) => i),
    );
    const pipeline = device.createComputePipeline({
      layout: 'auto',
      compute: { module: device.createShaderModule({ code }) },
    });
    const encoder = device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    pass.setPipeline(pipeline);
    pass.setBindGroup(
      0,
      device.createBindGroup({
        layout: pipeline.getBindGroupLayout(0),
        entries: [{ binding: 0, resource: { buffer: data } }],
      }),
    );
    pass.dispatchWorkgroups(1);
    pass.end();
    encoder.copyBufferToBuffer(data, 0, back, 0, count * 4);
    device.queue.submit([encoder.finish()]);
    await back.mapAsync(GPUMapMode.READ).catch(async (error: unknown) => {
      // `requestDevice` may give a device that is lost already.
      await settled();
      check();
      throw broken(oneLine(error));
    });
    const wrong = new Float32Array(back.getMappedRange()).findIndex((value, i) => value !== 2 * i + 1);
    if (wrong >= 0) throw broken(`element ${wrong} is wrong`);
    check();
  } finally {
    data.destroy();
    back.destroy();
  }
}
