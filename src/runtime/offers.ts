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
  const offered = device.limits as unknown as Record<string, number | undefined>;
  const info: GPUAdapterInfo | undefined = device.adapterInfo;
  const { subgroupMinSize, subgroupMaxSize } = info ?? {};
  return (
    features.every(name => device.features.has(name)) &&
    Object.entries(limits).every(([name, value]) => (offered[name] ?? 0) >= value) &&
    (!subgroupSize || (subgroupMinSize === subgroupSize && subgroupMaxSize === subgroupSize)) &&
    (!subgroupMatrix ||
      matricesOf(info).some(
        ({ componentType, resultComponentType, M, N, K }) =>
          componentType === 'f16' &&
          resultComponentType === 'f32' &&
          subgroupMatrix.join() === [M, N, K].join(),
      ))
  );
}
