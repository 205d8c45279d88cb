/** Whether a device has what a variant of a dispatch asks for. */
import type { Variant } from '../../compiler/plan/schema.ts';

/** What Dawn adds to WebGPU's adapter information; `chromium-experimental-subgroup-matrix`. */
interface MatrixConfig {
  componentType: string;
  resultComponentType: string;
  M: number;
  N: number;
  K: number;
}

/** Products that matrix units do; none without the feature. */
export const matricesOf = (info: GPUAdapterInfo | undefined): readonly MatrixConfig[] =>
  (info as { subgroupMatrixConfigs?: readonly MatrixConfig[] } | undefined)?.subgroupMatrixConfigs ?? [];

export function offers(device: GPUDevice, variant: Variant): boolean {
  const { features = [], limits = {}, subgroupSize, subgroupMatrix } = variant;
  // a limit that is not offered is NaN to a comparison
  const offered = device.limits as unknown as Record<string, number>;
  const info: GPUAdapterInfo | undefined = device.adapterInfo;
  return (
    features.every(name => device.features.has(name)) &&
    Object.entries(limits).every(([name, value]) => offered[name] >= value) &&
    (!subgroupSize || (info?.subgroupMinSize === subgroupSize && info.subgroupMaxSize === subgroupSize)) &&
    (!subgroupMatrix ||
      matricesOf(info).some(
        ({ componentType, resultComponentType, M, N, K }) =>
          [componentType, resultComponentType, M, N, K].join() === ['f16', 'f32', ...subgroupMatrix].join(),
      ))
  );
}

/** WebGPU's core: what every device offers. */
export const CORE = { features: new Set<string>(), limits: {} } as unknown as GPUDevice;
