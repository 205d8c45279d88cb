/** A published evaluation, in the worker. */
import { evaluateProtocol, type ProtocolArgs, type SideResult } from '../../run/evaluate-protocol.ts';
import type { TaskContext } from '../tasks.ts';

export const task = (args: ProtocolArgs, context: TaskContext): Promise<SideResult[]> =>
  evaluateProtocol(args, context);
