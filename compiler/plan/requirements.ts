/** What a plan asks of a device beyond WebGPU's defaults, computed from its tables so that the two cannot disagree. */
import type { Plan } from './schema.ts';
import { buffersFor, programsOf, type Use } from './uses.ts';

const DEFAULTS = {
  maxBufferSize: 256 * 1024 * 1024,
  maxStorageBufferBindingSize: 128 * 1024 * 1024,
  maxStorageBuffersPerShaderStage: 8,
  maxComputeWorkgroupStorageSize: 16 * 1024,
} as const;

export function requirements(
  buffers: Plan['buffers'],
  programs: Plan['programs'],
  kernels: Plan['kernels'],
): Plan['requires'] {
  const dispatches = Object.values(programs).flat();
  const bindingBytes = Math.max(0, ...dispatches.flatMap(d => d.bindings.map(b => b.bytes)));
  const bufferBytes = Math.max(0, ...buffers.map(b => b.bytes));
  const storage = Math.max(0, ...kernels.map(k => k.bindings.filter(b => b.access !== 'uniform').length));
  const wanted: [keyof typeof DEFAULTS, number][] = [
    ['maxBufferSize', bufferBytes],
    ['maxStorageBufferBindingSize', bindingBytes],
    ['maxStorageBuffersPerShaderStage', storage],
  ];
  const peak = (use: Use) =>
    buffersFor({ buffers, programs }, programsOf({ programs }, use)).reduce(
      (sum, i) => sum + buffers[i].bytes,
      0,
    );
  return {
    features: [],
    limits: Object.fromEntries(wanted.filter(([name, value]) => value > DEFAULTS[name])),
    bytes: buffers.reduce((sum, b) => sum + b.bytes, 0),
    peak: { training: peak('training'), generation: peak('generation') },
  };
}
