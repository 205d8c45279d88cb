/**
 * Gradients that are not finite: the step changed nothing, which is logged; several in a row end the run, naming the
 * first bad tensor. Where gradients pass through f16, which holds nothing below 6e-8, the loss is scaled by a power of
 * two (Micikevicius et al., arXiv 1710.03740, section 3.2) that overflow halves and many good steps double, as
 * torch.amp.GradScaler does it; only at its floor does a bad step count.
 */
import { fault } from '../report/fault.ts';
import type { Executor } from '../runtime/executor.ts';
import { extract } from '../runtime/parameters.ts';
import type { StepResult } from '../runtime/session.ts';
import type { RunState } from './checkpoint-state.ts';

type LossScale = NonNullable<RunState['lossScale']>;

/** Steps in a row with a non-finite gradient that end a run. */
const MAX_SKIPPED = 5;
const START = 2 ** 16;
const LARGEST = 2 ** 24;
const FLOOR = 1;
const GROWS_AFTER = 2000;

/** The scale to start with, where a kernel of the backward pass may run in f16 here; null: gradients are f32. */
export function startingScale({ plan, pipelines }: Pick<Executor, 'plan' | 'pipelines'>): LossScale | null {
  const halves = plan.programs.backward.some(dispatch =>
    pipelines.runnable(dispatch).some(v => v.subgroupMatrix || v.features?.includes('shader-f16')),
  );
  return halves ? { scale: START, good: 0 } : null;
}

export function nextScale({ scale, good }: LossScale, finite: boolean): LossScale {
  if (!finite) return { scale: Math.max(scale / 2, FLOOR), good: 0 };
  if (good + 1 < GROWS_AFTER) return { scale, good: good + 1 };
  return { scale: Math.min(2 * scale, LARGEST), good: 0 };
}

/** Takes a step's result into account; throws `not-finite-loss`. */
export async function judge(
  state: Pick<RunState, 'step' | 'skipped' | 'skippedInRow' | 'lossScale'>,
  result: StepResult,
  executor: Executor,
  warn: (text: string) => void,
): Promise<void> {
  const finite = Number.isFinite(result.norm);
  const { lossScale: was } = state;
  if (was) state.lossScale = nextScale(was, finite);
  if (finite) {
    state.skippedInRow = 0;
    return;
  }
  state.skipped++;
  const skipped = `step ${state.step}: the gradient is not finite; the step was skipped`;
  if (was && was.scale > FLOOR) {
    warn(`${skipped}, and the loss is scaled by ${state.lossScale?.scale} from now on`);
    return;
  }
  warn(skipped);
  if (++state.skippedInRow < MAX_SKIPPED) return;
  const { plan } = executor;
  const flat = await executor.read('grads', plan.buffers.find(b => b.name === 'grads')!.bytes / 4);
  const bad = plan.parameters.find(p => !extract(flat, p).every(Number.isFinite));
  throw fault('not-finite-loss', `${MAX_SKIPPED} steps in a row had a gradient that is not finite`, {
    notes: [
      `first bad tensor: ${bad?.name ?? 'none; the norm itself overflowed'}`,
      `loss at step ${state.step}: ${result.loss}`,
      ...(was ? ['the scale of the loss had fallen to its floor'] : []),
    ],
  });
}
