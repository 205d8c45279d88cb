/** Diagnostics as text for a terminal. */
import type { Diagnostic } from '../../dsl/diagnostics/diagnostic.ts';
import { renderFault } from '../report/render.ts';

export function renderDiagnostics(diagnostics: readonly Diagnostic[], color: boolean): string {
  return diagnostics.map(diagnostic => renderFault(diagnostic, color)).join('\n');
}
