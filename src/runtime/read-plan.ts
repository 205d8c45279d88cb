/** Reads a plan where there is no file system: the text of plan.json, and a way to the texts of its kernels. */
import { changedKernel, missingKernel, type PlanProblem, parsePlan } from '../../compiler/plan/reader.ts';
import type { Plan } from '../../compiler/plan/schema.ts';
import { fault } from '../report/portable.ts';

/** Texts of kernels by path inside the plan folder (`kernels/….wgsl`), or a function that fetches one. */
export type Kernels =
  | Readonly<Record<string, string>>
  | ReadonlyMap<string, string>
  | ((file: string) => string | undefined | Promise<string | undefined>);

/** A plan in which everything was checked, and the texts of its kernels. */
export interface CheckedPlan {
  plan: Plan;
  files: ReadonlyMap<string, string>;
}

export const PLAN_FAULTS = {
  damaged: 'plan-damaged',
  invalid: 'plan-invalid',
  version: 'plan-version',
} as const;

/**
 * Checks shape, references, ranges and requirements, and the hash of every kernel. `json`: the text of plan.json.
 * Faults: `plan-invalid`, `plan-version`, `plan-damaged`.
 */
export async function readPlan(json: string, kernels: Kernels): Promise<CheckedPlan> {
  const parsed = parsePlan(json);
  if ('problem' in parsed) throw planFault(parsed);
  const read = readerOf(kernels);
  const files = new Map<string, string>();
  await Promise.all(
    parsed.plan.kernels.map(async ({ file, sha256 }) => {
      const text = await read(file);
      if (typeof text !== 'string') throw planFault(missingKernel(file));
      if ((await hash(text)) !== sha256) throw planFault(changedKernel(file));
      files.set(file, text);
    }),
  );
  return { plan: parsed.plan, files };
}

const planFault = ({ problem, message }: PlanProblem) => fault(PLAN_FAULTS[problem], message);

function readerOf(kernels: Kernels): (file: string) => string | undefined | Promise<string | undefined> {
  if (typeof kernels === 'function') return kernels;
  if (kernels instanceof Map) return file => kernels.get(file);
  const record = kernels as Readonly<Record<string, string>>;
  return file => (Object.hasOwn(record, file) ? record[file] : undefined);
}

/** SHA-256 as lower-case hex. */
async function hash(text: string): Promise<string> {
  const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text));
  return Array.from(new Uint8Array(digest), byte => byte.toString(16).padStart(2, '0')).join('');
}
