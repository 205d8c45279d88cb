/** The summary of a plan as a person reads it. */
import type { PlanSummary } from '../../compiler/summary.ts';
import { bytesText, flopsText } from '../report/units.ts';

export function summaryText({
  adapters,
  trainable,
  memory,
  bytes,
  peak,
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
    .map(([role, size]) => `  ${role.padEnd(10)} ${bytesText(size).padStart(10)}`);
  return [
    ...lines,
    `trainable parameters: ${trainable.toLocaleString('en')}`,
    `GPU memory: ${bytesText(peak.training)} to train, ${bytesText(peak.generation)} to generate, ${bytesText(bytes)} for both`,
    ...roles,
    `training step of ${step.tokens} tokens: ${step.dispatches} dispatches of ${kernels} kernels, ${flopsText(step.flops)}, ${flopsText(step.flopsPerToken)} per token`,
    `generation: ${decode.dispatches} dispatches and ${flopsText(decode.flops)} per token`,
  ].join('\n');
}

/** `self_attn.q_proj, self_attn.o_proj in layers 0-5; mlp.up_proj in layers 1-2`. */
export function shorten(modules: readonly string[]): string {
  const layers = new Map<string, number[]>();
  for (const module of modules) {
    const [, layer, rest] = /layers\.(\d+)\.(.*)$/.exec(module) ?? [undefined, '0', module];
    layers.set(rest, [...(layers.get(rest) ?? []), Number(layer)]);
  }
  const kinds = new Map<string, string[]>();
  for (const [kind, numbers] of layers) {
    const where = ranges(numbers);
    kinds.set(where, [...(kinds.get(where) ?? []), kind]);
  }
  return [...kinds].map(([where, names]) => `${names.join(', ')} in layers ${where}`).join('; ');
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
