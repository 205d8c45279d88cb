/** The text of plan.json → a checked plan. Trusts nothing, and needs no package. */
import { inconsistency } from './consistency.ts';
import type { Plan } from './schema.ts';
import { planShape } from './shape.generated.ts';
import { PLAN_FORMAT, PLAN_VERSION } from './version.ts';

export interface PlanProblem {
  problem: 'damaged' | 'invalid' | 'version';
  message: string;
}

/** Checks everything about a plan but the texts of its kernels. */
export function parsePlan(text: string): { plan: Plan } | PlanProblem {
  let json: unknown;
  try {
    // Visiting every value costs as much as the schema does; a key can only be `__proto__` if one of these is in the text.
    json = JSON.parse(text, /__proto__|\\u/.test(text) ? noPrototype : undefined);
  } catch {
    return invalid('plan.json is not valid JSON');
  }
  const head = json as { format?: unknown; version?: unknown } | null;
  if (head?.format !== PLAN_FORMAT) return invalid('plan.json is not a mos plan');
  const [major, minor] = versionOf(head.version);
  const [ownMajor, ownMinor] = versionOf(PLAN_VERSION);
  if (major !== ownMajor) {
    const message = `the plan has format version ${String(head.version)}, this reads version ${PLAN_VERSION}`;
    return { problem: 'version', message };
  }
  const problem = planShape(json, minor > ownMinor);
  if (problem !== undefined) return invalid(`plan.json: ${problem.replace(/^(\.|: )/, '')}`);
  const plan = json as Plan;
  const wrong = inconsistency(plan, minor > ownMinor);
  return wrong === undefined ? { plan } : invalid(`plan.json: ${wrong}`);
}

const invalid = (message: string): PlanProblem => ({ problem: 'invalid', message });

/** major and minor; not a number where there are none. */
const versionOf = (version: unknown): number[] =>
  /^\d{1,6}\.\d{1,6}$/.test(String(version)) ? String(version).split('.').map(Number) : [Number.NaN, 0];

/** The schema would pass over such a key in silence. */
function noPrototype(key: string, value: unknown): unknown {
  if (key === '__proto__') throw new Error('a key that no plan has');
  return value;
}

export const missingKernel = (file: string): PlanProblem => ({
  problem: 'damaged',
  message: `${file} is missing`,
});

export const changedKernel = (file: string): PlanProblem => ({
  problem: 'damaged',
  message: `${file} was changed after it was compiled`,
});
