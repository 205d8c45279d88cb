/**
 * A user's problem met at run time, carried to the top of the program as an exception and rendered once. Anything
 * thrown that is not a `Fault` is a bug of ours (exit code 2).
 */
import type { Diagnostic } from '../../dsl/diagnostics/diagnostic.ts';
import { FAULTS, type FaultCode } from './catalogue.ts';

export class Fault extends Error {
  readonly diagnostics: Diagnostic[];
  /** `message`: for whoever reads the exception and not its diagnostics. */
  constructor(diagnostics: Diagnostic[], message?: string) {
    super(message ?? diagnostics.map(d => `${d.code}: ${d.message}`).join('\n'));
    // What it is called where it is caught: the package exports it by this name.
    this.name = 'MosError';
    this.diagnostics = diagnostics;
  }
}

/** A fault from the catalogue; `extra` gives place, notes or a more specific help. */
export function fault(code: FaultCode, message: string, extra: Partial<Diagnostic> = {}): Fault {
  return new Fault([{ code, severity: 'error', message, help: FAULTS[code].help, ...extra }]);
}
