/**
 * Matrix units are an experimental feature that Dawn gives only to those who ask for unsafe APIs. It is asked for when a
 * plan has kernels for them that this user compiled, or was told to trust: their hashes are in the user's cache.
 * Validation and robustness stay on all the same.
 */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Plan, Variant } from '../../compiler/plan/schema.ts';
import { cacheFolder } from '../host/cache.ts';
import { attempt } from '../host/files.ts';

/** Features that need Dawn's unsafe APIs. */
const UNSAFE = 'chromium-experimental-subgroup-matrix';

const variantsOf = (plan: Plan): Variant[] =>
  Object.values(plan.programs).flatMap(dispatches => dispatches.flatMap(d => d.variants));

const needsTrust = (plan: Plan): boolean => variantsOf(plan).some(v => v.features?.includes(UNSAFE));

function markOf({ kernels }: Plan): string {
  const hash = createHash('sha256').update(kernels.map(k => k.sha256).join());
  return join(cacheFolder(), 'trusted', hash.digest('hex'));
}

/** Remembers that this user compiled the kernels of a plan, or trusts them. */
export function trust(plan: Plan): void {
  if (!needsTrust(plan)) return;
  const mark = markOf(plan);
  // Without it the plan runs all the same, on slower kernels.
  attempt(() => {
    mkdirSync(join(mark, '..'), { recursive: true, mode: 0o700 });
    writeFileSync(mark, '');
  });
}

export interface Wanted {
  features: Set<string>;
  /** The most that any variant asks for. */
  limits: Record<string, number>;
  /** Dawn's unsafe APIs. */
  unsafe: boolean;
}

/** What variants of a plan's kernels ask of a device, as far as the plan may have it. */
export function wantedBy(plan: Plan, more: readonly string[] = []): Wanted {
  const unsafe = needsTrust(plan) && existsSync(markOf(plan));
  const features = new Set(more);
  const limits: Record<string, number> = {};
  for (const variant of variantsOf(plan)) {
    for (const feature of variant.features ?? []) if (feature !== UNSAFE || unsafe) features.add(feature);
    for (const [name, value] of Object.entries(variant.limits ?? {}))
      limits[name] = Math.max(limits[name] ?? 0, value);
  }
  return { features, limits, unsafe };
}
