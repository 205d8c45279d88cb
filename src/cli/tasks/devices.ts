/** Lists the GPUs WebGPU offers, which one mos would use, and why. */
import { describe, listAdapters, openDevice } from '../../gpu/device.ts';
import { softwareGpu } from '../../host/software-gpu.ts';
import { Fault } from '../../report/fault.ts';
import { matricesOf } from '../../runtime/offers.ts';
import type { TaskContext } from '../tasks.ts';

/** Limits that decide what fits, in WebGPU's names and units (bytes, counts). */
const LIMITS = [
  'maxBufferSize',
  'maxStorageBufferBindingSize',
  'maxStorageBuffersPerShaderStage',
  'maxComputeWorkgroupStorageSize',
  'maxComputeInvocationsPerWorkgroup',
  'maxComputeWorkgroupsPerDimension',
] as const;

export interface DeviceReport {
  name: string;
  vendor: string;
  architecture: string;
  driver: string;
  software: boolean;
  /** The requests that bring this adapter up: `default`, `high-performance`, … */
  request: string;
  features: string[];
  limits: Record<string, number>;
  subgroupSizes: [min: number, max: number] | null;
  /** Matrix shapes for tensor cores, e.g. `f16 16×16×16 → f32`; empty where the GPU or driver offers none. */
  subgroupMatrices: string[];
}

export interface DevicesResult {
  devices: DeviceReport[];
  /** Index into `devices` of the one that is used, or null. */
  used: number | null;
  why: string;
  /** One line per request made. */
  tried: string[];
  /** Where the software GPU comes from, or why there is none. */
  softwareGpu: string;
}

export async function task(_args: unknown, context: TaskContext): Promise<DevicesResult> {
  context.phase('looking for GPUs');
  const { candidates, tried } = await listAdapters();
  const devices = candidates.map(({ adapter, info, request, software }): DeviceReport => {
    const limits = adapter.limits as unknown as Record<string, number>;
    return {
      name: describe(info),
      vendor: info.vendor,
      architecture: info.architecture,
      driver: info.description,
      software,
      request,
      features: [...adapter.features].sort(),
      limits: Object.fromEntries(LIMITS.map(name => [name, limits[name]])),
      subgroupSizes:
        info.subgroupMinSize && info.subgroupMaxSize ? [info.subgroupMinSize, info.subgroupMaxSize] : null,
      subgroupMatrices: matricesOf(info).map(
        c => `${c.componentType} ${c.M}×${c.N}×${c.K} → ${c.resultComponentType}`,
      ),
    };
  });
  const software = softwareGpu();
  const rest = { devices, tried, softwareGpu: software.found ? software.folder : software.why };
  try {
    const opened = await openDevice();
    const used = devices.findIndex(device => device.name === describe(opened.info));
    const why = opened.software
      ? 'no hardware GPU was found'
      : devices.length > 1
        ? 'hardware comes before software'
        : 'it is the only one';
    opened.close();
    return { ...rest, used, why: `${why}; it passes a small test computation` };
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    return { ...rest, used: null, why: error.diagnostics[0].message };
  }
}
