/** Plan folders on disk: `NAME.mosplan/` with plan.json and kernels/*.wgsl. */
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { type DecodeResult, decodePlan, encodePlan } from '../../compiler/plan/codec.ts';
import type { Plan } from '../../compiler/plan/schema.ts';
import { fault } from '../report/fault.ts';

const CODES = { damaged: 'plan-damaged', invalid: 'plan-invalid', version: 'plan-version' } as const;

/** A plan.json beyond this is not read at all. */
const MAX_BYTES = 512 * 2 ** 20;

export function isPlanFolder(path: string): boolean {
  return existsSync(join(path, 'plan.json'));
}

/** Reads and checks a plan folder. Faults: `file-not-found`, `plan-damaged`, `plan-invalid`, `plan-version`. */
export function readPlan(folder: string): Extract<DecodeResult, { plan: Plan }> {
  if (!isPlanFolder(folder)) throw fault('file-not-found', `\`${folder}\` holds no plan.json`);
  const result = decodePlan(path => {
    const file = join(folder, path);
    const stat = statSync(file, { throwIfNoEntry: false });
    if (!stat?.isFile()) return undefined;
    if (stat.size > MAX_BYTES) throw fault('file-too-large', `\`${file}\` is larger than any plan`);
    return readFileSync(file, 'utf8');
  });
  if ('problem' in result) throw fault(CODES[result.problem], `\`${folder}\`: ${result.message}`);
  return result;
}

/** Writes a plan folder aside and renames it into place; an existing folder is replaced only if it is a plan. */
export function writePlan(folder: string, plan: Plan, kernels: ReadonlyMap<string, string>): void {
  const present = statSync(folder, { throwIfNoEntry: false });
  if (present && !isPlanFolder(folder))
    throw fault('unsafe-path', `\`${folder}\` exists and is not a plan; it is left alone`);
  const aside = `${resolve(folder)}.tmp-${process.pid}`;
  try {
    mkdirSync(join(aside, 'kernels'), { recursive: true });
    for (const [path, text] of encodePlan(plan, kernels))
      writeFileSync(join(aside, path), text, { flag: 'wx' });
    if (present) rmSync(folder, { recursive: true });
    mkdirSync(dirname(resolve(folder)), { recursive: true });
    renameSync(aside, folder);
  } catch (error) {
    rmSync(aside, { recursive: true, force: true });
    throw fault(
      'unwritable-file',
      `\`${folder}\` cannot be written: ${error instanceof Error ? error.message : error}`,
    );
  }
}
