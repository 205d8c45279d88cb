/** Diagnostics as GitHub workflow commands, which show up as annotations on the changed lines. */
import type { Diagnostic, Severity } from './diagnostic.ts';

const command: Record<Severity, string> = { error: 'error', warning: 'warning', note: 'notice' };

const data = (text: string) => text.replaceAll('%', '%25').replaceAll('\r', '%0D').replaceAll('\n', '%0A');
const property = (text: string) => data(text).replaceAll(':', '%3A').replaceAll(',', '%2C');

export function renderGithub(diagnostics: readonly Diagnostic[]): string {
  return diagnostics
    .map(({ code, severity, message, span, notes, help }) => {
      const properties = [
        ...(span ? [`file=${property(span.file)}`, `line=${span.line}`, `col=${span.column}`] : []),
        `title=${property(code)}`,
      ];
      const text = [
        message,
        ...(notes ?? []).map(note => `note: ${note}`),
        ...(help ? [`help: ${help}`] : []),
      ].join('\n');
      return `::${command[severity]} ${properties.join(',')}::${data(text)}\n`;
    })
    .join('');
}
