/**
 * A user's problem met at run time, carried to the top of the program as an exception and rendered once. Anything
 * thrown that is not a `Fault` is a bug of ours (exit code 2).
 */
import type { Diagnostic } from '../../dsl/diagnostics/diagnostic.ts';
import { FAULTS, type FaultCode } from './catalogue.ts';
import { Fault } from './portable.ts';

export { Fault };

/** A fault from the catalogue; `extra` gives place, notes or a more specific help. */
export function fault(code: FaultCode, message: string, extra: Partial<Diagnostic> = {}): Fault {
  return new Fault([{ code, severity: 'error', message, help: FAULTS[code].help, ...extra }]);
}
