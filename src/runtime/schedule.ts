/** Learning rates and optimiser constants of a step, computed in f64 on the host and written to the `groups` buffer. */
import type { Group, Plan, Training } from '../../compiler/plan/schema.ts';

/** Floats per group in the buffer: kernels/README.md, optimizer.step. */
const GROUP_FLOATS = 12;
const KIND: Record<Group['kind'], number> = { frozen: 0, adamw: 1, sgd: 2 };
/** Stands for "no bound": larger than any parameter, finite so that f32 comparisons stay defined. */
const UNBOUNDED = 3e38;

/** Factor on every learning rate at `step` (from 0): linear warm-up to 1, then the schedule down to `floor`. */
export function scheduleFactor(
  { steps, schedule }: Pick<Training, 'steps' | 'schedule'>,
  step: number,
): number {
  const warmup = Math.round(schedule.warmup * steps);
  if (step < warmup) return (step + 1) / warmup;
  if (schedule.kind === 'constant') return 1;
  const progress = Math.min((step - warmup) / Math.max(steps - warmup, 1), 1);
  const shape = schedule.kind === 'linear' ? 1 - progress : 0.5 * (1 + Math.cos(Math.PI * progress));
  return schedule.floor + (1 - schedule.floor) * shape;
}

/** Content of the `groups` buffer; `updates` is the number of optimiser steps done before this one. */
export function groupTable(groups: Plan['groups'], factor: number, updates: number): Float32Array {
  const table = new Float32Array(groups.length * GROUP_FLOATS);
  groups.forEach((g, i) => {
    const t = updates + 1;
    table.set(
      [
        g.lr * factor,
        g.weightDecay,
        g.beta1,
        g.beta2,
        g.eps,
        1 / (1 - g.beta1 ** t),
        1 / (1 - g.beta2 ** t),
        g.min ?? -UNBOUNDED,
        g.max ?? UNBOUNDED,
        KIND[g.kind],
      ],
      i * GROUP_FLOATS,
    );
  });
  return table;
}
