/** How a call that may end in a fault ends. Other exceptions are no answer: they pass. */
import { Fault } from '../src/report/fault.ts';

/** `code: message` of the fault; `ok` when there is none. */
export function faultOf(action: () => unknown): string {
  try {
    action();
  } catch (error) {
    if (error instanceof Fault) return error.message;
    throw error;
  }
  return 'ok';
}

export const codeOf = (action: () => unknown): string => faultOf(action).split(':')[0];
