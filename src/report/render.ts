/**
 * Diagnostics and faults as a person reads them (stderr) and as a program reads them (`--json`). Text that came from
 * outside (file names, driver messages) is stripped of control characters, so that it cannot drive the terminal.
 */
import pc from 'picocolors';
import type { Diagnostic } from '../../dsl/diagnostics/diagnostic.ts';

/** Version of the JSON form. */
export const JSON_VERSION = 1;

/**
 * Everything but tab and line feed that moves the cursor, changes colours or reorders text: C0, C1, and the
 * bidirectional controls.
 */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what this removes
const CONTROL = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;

export function stripControls(text: string): string {
  return text.replace(CONTROL, '');
}

/** One diagnostic as text without a code frame; for those with a place in a source text, `--> file:line:column`. */
export function renderFault(diagnostic: Diagnostic, color = false): string {
  const c = pc.createColors(color);
  const paint = { error: c.red, warning: c.yellow, note: c.cyan }[diagnostic.severity];
  const lines = [`${paint(c.bold(`${diagnostic.severity}[${diagnostic.code}]`))}: ${c.bold(stripControls(diagnostic.message))}`];
  const attach = (kind: string, text: string) => {
    const [first, ...rest] = stripControls(text).split('\n');
    lines.push(`  ${c.blue('=')} ${kind}: ${first}`, ...rest.map(line => `    ${line}`));
  };
  if (diagnostic.span) {
    const { file, line, column } = diagnostic.span;
    lines.push(`  ${c.blue('-->')} ${stripControls(file)}:${line}:${column}`);
  }
  for (const note of diagnostic.notes ?? []) attach('note', note);
  if (diagnostic.help) attach('help', diagnostic.help);
  return lines.join('\n');
}

/** What is written for an exception that is no `Fault`: a bug of ours. */
export function renderBug(message: string, stack: string | undefined): string {
  return stripControls(
    [
      `internal error: ${message}`,
      ...(stack ? [stack.startsWith(message) ? stack : `${stack}`] : []),
      'this is a bug of mos, not a mistake of yours: please report it with the text above and the command you ran',
    ].join('\n'),
  );
}

/** The object that `--json` prints on stdout instead of a result when there are errors. */
export function faultsAsJson(diagnostics: readonly Diagnostic[]): object {
  return { version: JSON_VERSION, ok: false, diagnostics };
}
