/**
 * Which variant of each kernel a run takes: the one it began with (a resumed run), else the one that was measured to be
 * fastest here (`mos tune`), else the last that suits the device. Choices of a run are saved with it, so that neither a
 * new tuning file nor a noisy measurement changes its numbers.
 */
import type { Dispatch, Plan, Variant } from '../../compiler/plan/schema.ts';
import { fault } from '../report/fault.ts';
import { type Choose, lastVariant } from '../runtime/pipelines.ts';

/** Kernel by the variants it was chosen from; both are hashes of WGSL texts, so that a choice fits nothing but them. */
export type Choices = Record<string, string>;

export interface Known {
  /** What the run began with: taken, or a fault. */
  pinned?: Choices | undefined;
  /** What was measured here. */
  tuned?: Choices | undefined;
}

/** First characters of a kernel's hash: a name for it. */
export const kernelId = (plan: Plan, { kernel }: Variant): string => plan.kernels[kernel].sha256.slice(0, 12);

/** The name of a choice: the ids of all variants. */
export const choiceId = (plan: Plan, { variants }: Dispatch): string =>
  variants.map(v => kernelId(plan, v)).join('+');

/** One dispatch for each choice that programs leave open, with the program it is in; of several, the largest. */
export function openChoices(
  plan: Plan,
  programs: string[],
): Map<string, { program: string; dispatch: Dispatch }> {
  const open = new Map<string, { program: string; dispatch: Dispatch }>();
  for (const program of programs) {
    for (const dispatch of plan.programs[program]) {
      if (dispatch.variants.length === 1) continue;
      const id = choiceId(plan, dispatch);
      const known = open.get(id);
      if (!known || known.dispatch.flops.each < dispatch.flops.each) open.set(id, { program, dispatch });
    }
  }
  return open;
}

export class VariantChoice {
  /** Every choice made so far. */
  readonly chosen: Choices = {};
  readonly choose: Choose;
  private readonly plan: Plan;
  private readonly refused = new Set<string>();
  private readonly fallback: Choose;

  /** `device`: its name, for messages. `hardware`: whether variants for hardware are taken where nothing is known. */
  constructor(plan: Plan, device: string, hardware: boolean, known: Known = {}) {
    this.plan = plan;
    this.fallback = lastVariant(hardware, true);
    this.choose = (dispatch, runnable) => {
      if (dispatch.variants.length === 1) return dispatch.variants[0];
      const id = choiceId(plan, dispatch);
      const usable = runnable.filter((v, i) => i === 0 || !this.refused.has(kernelId(plan, v)));
      const find = (choices?: Choices) => usable.find(v => kernelId(plan, v) === choices?.[id]);
      const pinned = known.pinned?.[id];
      const found = find(known.pinned);
      if (pinned !== undefined && !found) throw unavailable(this.nameOf(pinned), device);
      const variant = found ?? find(known.tuned) ?? this.fallback(dispatch, usable);
      this.chosen[id] = kernelId(plan, variant);
      return variant;
    };
  }

  /** Takes a kernel out of every choice from here on: it computes something else than its reference. */
  refuse(kernel: string): void {
    this.refused.add(kernel);
  }

  private nameOf(kernel: string): string {
    return (
      this.plan.kernels.find(k => k.sha256.startsWith(kernel))?.name ?? `${kernel}, which the plan lacks`
    );
  }
}

function unavailable(kernel: string, device: string) {
  return fault('variant-unavailable', `the run was begun with kernel ${kernel}, which ${device} cannot run`);
}
