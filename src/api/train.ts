/** Training from a script: what `mos train` does, in this process. */

import { join } from 'node:path';
import { openBase } from '../run/base.ts';
import { readPlan } from '../run/plan-folder.ts';
import { type TrainResult, train as trainInto } from '../run/train.ts';
import { listenerOf, type StepEvent, type ValidationEvent, type Watching } from './events.ts';
import { type AnyPlan, type Device, opener } from './model.ts';

export type { TrainResult } from '../run/train.ts';

export interface TrainOptions extends Watching {
  /** Folder of log, checkpoints and adapter; default: `runs/NAME`. One training at a time uses it. */
  out?: string;
  /** Stops after so many steps; the schedule stays that of the whole run. */
  steps?: number;
  /** Runs the eval blocks before and after. */
  evaluate?: boolean;
  /** Goes on from the newest checkpoint in `out`, if there is one. */
  resume?: boolean;
  /** Resumes although program, data or base model changed. */
  force?: boolean;
  device?: Device;
  onStep?: (event: StepEvent) => void;
  onValidation?: (event: ValidationEvent) => void;
}

/**
 * Trains the adapters of a plan. A signal ends it after the step at hand, with a checkpoint to `resume` from; the result
 * then says `stopped`. What `mos train` reports as an error is thrown as a `MosError`.
 */
export async function train(plan: AnyPlan, options: TrainOptions = {}): Promise<TrainResult> {
  const { steps, evaluate = false, resume = false, force = false, device = 'auto' } = options;
  const source = typeof plan === 'string' ? { ...readPlan(plan), folder: plan } : plan;
  const out = options.out ?? join('runs', source.plan.name);
  const args = {
    plan: source.folder,
    out,
    evaluate,
    resume,
    force,
    ...(steps === undefined ? {} : { steps }),
  };
  const { onStep, onValidation } = options;
  const listener = {
    ...listenerOf(options),
    ...(onStep ? { step: onStep } : {}),
    ...(onValidation ? { validation: onValidation } : {}),
  };
  return trainInto(args, listener, {
    openBase: (_, phase, given) => openBase(source, phase, { ...given, openDevice: opener(device) }),
  });
}
