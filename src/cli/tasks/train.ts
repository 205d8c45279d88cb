/** Training, in the worker. */
import { type TrainArgs, type TrainResult, train } from '../../run/train.ts';
import type { TaskContext } from '../tasks.ts';

export const task = (args: TrainArgs, context: TaskContext): Promise<TrainResult> => train(args, context);
