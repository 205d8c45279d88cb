/** Plan ↔ files of a plan folder: `plan.json` and `kernels/*.wgsl`. */
import { sha256 } from './hash.ts';
import { changedKernel, missingKernel, type PlanProblem, parsePlan } from './reader.ts';
import type { Plan } from './schema.ts';

export type DecodeResult = { plan: Plan; files: Map<string, string> } | PlanProblem;

/** Texts by path; equal plans give equal bytes. */
export function encodePlan(plan: Plan, kernels: ReadonlyMap<string, string>): Map<string, string> {
  return new Map([['plan.json', `${JSON.stringify(plan, null, 1)}\n`], ...kernels]);
}

/**
 * Reads a plan from its files; `read` gives the text at a path inside the folder, or undefined. Shape, references, ranges
 * and the hash of every kernel are checked before anything is allocated.
 */
export function decodePlan(read: (path: string) => string | undefined): DecodeResult {
  const text = read('plan.json');
  if (text === undefined) return { problem: 'damaged', message: 'there is no plan.json' };
  const parsed = parsePlan(text);
  if ('problem' in parsed) return parsed;
  const files = new Map<string, string>();
  for (const { file, sha256: expected } of parsed.plan.kernels) {
    const source = read(file);
    if (source === undefined) return missingKernel(file);
    if (sha256(source) !== expected) return changedKernel(file);
    files.set(file, source);
  }
  return { plan: parsed.plan, files };
}
