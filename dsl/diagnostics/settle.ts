/** From everything that was told to what is worth reading: no echoes of one slip, in the order of the text, not endless. */
import type { FileNode } from '../ast.ts';
import type { Span } from '../program.ts';
import { catalogue, isTextCode } from './catalogue.ts';
import type { Diagnostic } from './diagnostic.ts';

const LIMIT = 100;

/** After one of these the text that follows, to the end of the statement, is not what was meant. */
const HARD = ['unterminated-string', 'unterminated-comment', 'unexpected-character'];

const touch = (a: Span, b: Span) => a.file === b.file && a.start <= b.end && b.start <= a.end;

export function settle(all: Diagnostic[], tree: FileNode, root: string): Diagnostic[] {
  const hard = all.flatMap(({ code, span }) => (span && HARD.includes(code) ? [span] : []));
  const echo = ({ code, span }: Diagnostic): boolean => {
    if (!span || HARD.includes(code) || code === 'bidi-character') return false;
    return hard.some(place => {
      if (touch(place, span)) return true;
      if (!isTextCode(code) || place.file !== span.file) return false;
      const statement = tree.statements.find(({ span: whole }) => touch(whole, place));
      return statement !== undefined && touch(statement.span, span);
    });
  };
  const seen = new Set<string>();
  const kept = all.filter(diagnostic => {
    const { code, span, message } = diagnostic;
    const key = JSON.stringify([code, span?.file, span?.start, span?.end, message]);
    if (seen.has(key) || echo(diagnostic)) return false;
    seen.add(key);
    return true;
  });
  const rank = ({ span }: Diagnostic) => (span?.file === root ? 0 : span ? 1 : 2);
  kept.sort(
    (a, b) =>
      rank(a) - rank(b) ||
      (a.span?.file ?? '').localeCompare(b.span?.file ?? '') ||
      (a.span?.start ?? 0) - (b.span?.start ?? 0),
  );
  if (kept.length <= LIMIT) return kept;
  // An error must stay one: the program is withheld exactly when an error is listed.
  const errors = kept.filter(({ severity }) => severity === 'error');
  const shown = (errors.length > 0 ? errors : kept).slice(0, LIMIT);
  const code = 'too-many-mistakes';
  return [
    ...shown,
    { code, severity: catalogue[code].severity, message: `and ${kept.length - shown.length} more` },
  ];
}
