/** From everything that was told to what is worth reading: no echoes of one slip, in the order of the text, not endless. */
import type { FileNode } from '../ast.ts';
import type { Span } from '../program.ts';
import { catalogue, isTextCode } from './catalogue.ts';
import type { Diagnostic } from './diagnostic.ts';

const LIMIT = 100;

/** After one of these the text that follows, to the end of the statement, is not what was meant. */
const HARD = ['unterminated-string', 'unterminated-comment', 'unexpected-character'];

/** Codes of form that another slip right beside them explains. */
const DEPENDENT = [
  'unexpected',
  'missing-value',
  'missing-comma',
  'stray-comma',
  'equals-for-colon',
  'colon-for-equals',
  'missing-colon',
  'unknown-unit',
  'positional-parameter',
  'missing-semicolon',
];

/** One character apart, or less: `dt;ype` is one word with a slip in it. */
const touch = (a: Span, b: Span) => a.file === b.file && a.start <= b.end + 1 && b.start <= a.end + 1;

/** Which of two diagnostics about one place says more: the lower. */
function weight({ code }: Diagnostic): number {
  if (HARD.includes(code)) return 0;
  if (code === 'field-outside-block') return 2;
  if (code.startsWith('unknown-') && !isTextCode(code)) return 4;
  return isTextCode(code) ? (code === 'missing-value' || code === 'missing-comma' ? 3 : 1) : 5;
}

export function settle(all: Diagnostic[], tree: FileNode, root: string): Diagnostic[] {
  const statementAt = (place: Span) => tree.statements.find(({ span }) => touch(span, place));
  const hard = all.flatMap(({ code, span }) => (span && HARD.includes(code) ? [span] : []));
  const constantBroken = all.some(
    ({ code, span }) => span && isTextCode(code) && statementAt(span)?.kind === 'let',
  );

  /** Told because of another slip, not for itself. */
  const echo = (one: Diagnostic, index: number): boolean => {
    const { code, span } = one;
    if (!span || code === 'bidi-character') return false;
    if (code === 'unknown-constant' && constantBroken) return true;
    if (!HARD.includes(code)) {
      for (const place of hard) {
        const statement = isTextCode(code) ? statementAt(place) : undefined;
        if (statement && touch(statement.span, span)) return true;
      }
    }
    if (isTextCode(code) && !DEPENDENT.includes(code)) return false;
    return all.some((other, at) => {
      if (at === index || !other.span || !touch(other.span, span) || other.code === 'bidi-character')
        return false;
      if (other.severity !== 'error' || !(isTextCode(other.code) || other.code === code)) return false;
      const lighter = weight(other) - weight(one);
      return lighter < 0 || (lighter === 0 && other.span.start < span.start);
    });
  };
  const seen = new Set<string>();
  const kept = all.filter((diagnostic, index) => {
    const { code, span, message } = diagnostic;
    const key = JSON.stringify([code, span?.file, span?.start, span?.end, message]);
    if (seen.has(key) || echo(diagnostic, index)) return false;
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
