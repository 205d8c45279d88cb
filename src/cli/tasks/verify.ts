/** Verification against reference arrays, in the worker. */

import { verify } from '../../verify/index.ts';
import type { Row } from '../../verify/report.ts';
import type { TaskContext } from '../tasks.ts';

export const task = (
  { folder, models }: { folder: string; models: string },
  context: TaskContext,
): Promise<Row[]> => verify(folder, models, phase => context.phase(phase, 600));
