/** The summary of a plan as a person reads it. */
import type { PlanSummary } from '../../compiler/summary.ts';

export function summaryText({
  adapters,
  trainable,
  memory,
  bytes,
  kernels,
  step,
  decode,
}: PlanSummary): string {
  const lines = adapters.flatMap(({ name, experts, modules }) => [
    `adapter ${name}: ${experts.join(', ')}`,
    `  ${modules.length} modules: ${shorten(modules)}`,
  ]);
  const roles = Object.entries(memory)
    .sort(([, a], [, b]) => b - a)
    .map(([role, size]) => `  ${role.padEnd(10)} ${sizeText(size).padStart(10)}`);
  return [
    ...lines,
    `trainable parameters: ${trainable.toLocaleString('en')}`,
    `GPU memory, peak: ${sizeText(bytes)}`,
    ...roles,
    `training step of ${step.tokens} tokens: ${step.dispatches} dispatches of ${kernels} kernels, ${flopsText(step.flops)}, ${flopsText(step.flopsPerToken)} per token`,
    `generation: ${decode.dispatches} dispatches and ${flopsText(decode.flops)} per token`,
  ].join('\n');
}

/** `layers 0-5: self_attn.o_proj` for every kind of module. */
function shorten(modules: string[]): string {
  const layers = new Map<string, number[]>();
  for (const module of modules) {
    const [, layer, rest] = /layers\.(\d+)\.(.*)$/.exec(module) ?? [undefined, '0', module];
    layers.set(rest, [...(layers.get(rest) ?? []), Number(layer)]);
  }
  return [...layers].map(([rest, numbers]) => `${rest} in layers ${ranges(numbers)}`).join('; ');
}

/** [0, 1, 2, 5] is `0-2, 5`. */
function ranges(numbers: number[]): string {
  const sorted = [...new Set(numbers)].sort((a, b) => a - b);
  const runs: [number, number][] = [];
  for (const n of sorted) {
    const last = runs.at(-1);
    if (last && last[1] === n - 1) last[1] = n;
    else runs.push([n, n]);
  }
  return runs.map(([a, b]) => (a === b ? `${a}` : `${a}-${b}`)).join(', ');
}

export function sizeText(bytes: number): string {
  const [scale, unit] =
    bytes >= 2 ** 30 ? [2 ** 30, 'GiB'] : bytes >= 2 ** 20 ? [2 ** 20, 'MiB'] : [2 ** 10, 'KiB'];
  return `${Number((bytes / scale).toPrecision(3))} ${unit}`;
}

function flopsText(flops: number): string {
  const [scale, unit] = flops >= 1e12 ? [1e12, 'TFLOP'] : flops >= 1e9 ? [1e9, 'GFLOP'] : [1e6, 'MFLOP'];
  return `${Number((flops / scale).toPrecision(3))} ${unit}`;
}
