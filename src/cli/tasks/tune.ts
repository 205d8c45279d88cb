/** Measures the variants of every kernel of a plan on this device, in the worker. */
import { describe, softwareNotice } from '../../gpu/device.ts';
import { openBase } from '../../run/base.ts';
import { type Tuned, tuneVariants } from '../../run/tune.ts';
import { emptyTuning, readTuning, tuningPath, writeTuning } from '../../run/tuning-file.ts';
import type { TaskContext } from '../tasks.ts';

export interface TuneResult {
  device: string;
  results: Tuned[];
  /** Where the tuning file is. */
  file: string;
}

/** Seconds that the variants of one kernel may take: a driver may need minutes to compile one. */
const PATIENCE = 1800;

export async function task(
  { plan, file }: { plan: string; file?: string },
  context: TaskContext,
): Promise<TuneResult> {
  const base = await openBase(plan, context.phase, { warn: context.warn });
  try {
    const { info } = base.opened;
    const notice = softwareNotice(base.opened);
    if (notice) context.log(notice);
    const path = file ?? tuningPath(info);
    const tuning = readTuning(path, info) ?? emptyTuning(info);
    context.phase('measuring kernels', PATIENCE);
    const programs = Object.keys(base.plan.programs);
    const results = await tuneVariants(base.executor, tuning, programs, (step, steps) =>
      context.progress({ label: 'tune', step, steps }),
    );
    writeTuning(path, tuning);
    return { device: describe(info), results, file: path };
  } finally {
    base.close();
  }
}
