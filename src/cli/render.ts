/**
 * Diagnostics and bugs as the command line shows them. The language's renderers do the work; text that came from
 * outside (file names, driver messages) loses its control characters, so that it cannot drive the terminal.
 */
import type { Diagnostic } from '../../dsl/diagnostics/diagnostic.ts';
import { renderJson } from '../../dsl/diagnostics/render-json.ts';
import { printable, renderText, type Sources } from '../../dsl/diagnostics/render-text.ts';

export { renderJson, renderText, type Sources };

/** Several lines at once, each made safe. */
export function printableLines(text: string): string {
  return text.split(/\r?\n/).map(printable).join('\n');
}

/** What is written for an exception that is no `Fault`: a bug of ours. */
export function renderBug(message: string, stack: string | undefined): string {
  return printableLines(
    [
      `internal error: ${message}`,
      ...(stack ? [stack] : []),
      'this is a bug of mos, not a mistake of yours: please report it with the text above and the command you ran',
    ].join('\n'),
  );
}

export function hasErrors(diagnostics: readonly Diagnostic[]): boolean {
  return diagnostics.some(diagnostic => diagnostic.severity === 'error');
}
