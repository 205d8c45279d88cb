/** From everything that was told to what is worth reading: no echoes of one slip, in the order of the text, not endless. */
import type { FileNode, Statement } from '../ast.ts';
import type { Span } from '../program.ts';
import { isKind } from '../vocabulary/kinds.ts';
import { catalogue, isTextCode } from './catalogue.ts';
import type { Diagnostic } from './diagnostic.ts';
import { suggest } from './suggest.ts';

/** Most listed; and most looked at, for looking at them is quadratic. */
const LIMIT = 100;
const CONSIDERED = 1000;

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
  'braces',
];

/** After one of these the rest of the line is likely to be read in a wrong way. */
const DERAILING = [
  ...HARD,
  'unexpected',
  'missing-value',
  'unclosed-bracket',
  'stray-comma',
  'missing-comma',
];

/** After one of these, what another file declares is not known. */
const USE_FAILED = ['use-not-found', 'use-outside-root', 'use-cycle', 'bad-use-path'];

/** Names in the expressions of a space: two in a row are one word that was torn apart. */
const NAMES = ['unknown-name', 'unknown-function'];

/** One character apart, or less: `dt;ype` is one word with a slip in it. */
const touch = (a: Span, b: Span) => a.file === b.file && a.start <= b.end + 1 && b.start <= a.end + 1;

/** Which of two diagnostics about one place says more: the lower. */
function weight({ code }: Diagnostic): number {
  if (HARD.includes(code)) return 0;
  if (code === 'braces') return 3.5;
  if (code === 'field-outside-block') return 2;
  if (code.startsWith('unknown-') && !isTextCode(code)) return 4;
  return isTextCode(code) ? (code === 'missing-value' || code === 'missing-comma' ? 3 : 1) : 5;
}

/** The statement a place is in; statements are in text order. */
function finder(tree: FileNode, root: string): (place: Span) => Statement | undefined {
  const { statements } = tree;
  return place => {
    let low = 0;
    let high = statements.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((statements[middle]?.span.start ?? 0) <= place.start) low = middle;
      else high = middle - 1;
    }
    const found = statements[low];
    return found && place.file === root && touch(found.span, place) ? found : undefined;
  };
}

export function settle(all: Diagnostic[], tree: FileNode, root: string): Diagnostic[] {
  const start = ({ span }: Diagnostic) => span?.start ?? 0;
  const rank = ({ span }: Diagnostic) => (span?.file === root ? 0 : span ? 1 : 2);
  const inOrder = (a: Diagnostic, b: Diagnostic) =>
    rank(a) - rank(b) || (a.span?.file ?? '').localeCompare(b.span?.file ?? '') || start(a) - start(b);
  const errorsFirst = (a: Diagnostic, b: Diagnostic) =>
    Number(b.severity === 'error') - Number(a.severity === 'error');

  const statementAt = finder(tree, root);
  const considered =
    all.length > CONSIDERED
      ? all.toSorted((a, b) => errorsFirst(a, b) || inOrder(a, b)).slice(0, CONSIDERED)
      : all;
  const hard = considered.filter(({ code }) => HARD.includes(code));
  const declarationBroken = considered.some(({ code, span, message }) => {
    if (USE_FAILED.includes(code)) return true;
    if (code === 'unknown-kind')
      return suggest(/^`(.+?)`/.exec(message)?.[1] ?? '', ['let', 'use']).length > 0;
    const kind = span && isTextCode(code) ? (statementAt(span)?.kind ?? 'stray') : 'block';
    return ['let', 'use', 'stray'].includes(kind);
  });
  const kept: Diagnostic[] = [];

  /** Told because of another slip, not for itself. Only what is kept can explain it, so one of two always stays. */
  const echo = (one: Diagnostic): boolean => {
    const { code, span } = one;
    if (!span || code === 'bidi-character' || HARD.includes(code)) return false;
    if (code === 'unknown-constant' && declarationBroken) return true;
    const statement = statementAt(span);
    const derailed = hard.some(other => {
      const concerns = isTextCode(code) || other.code === 'unterminated-string';
      const around = concerns && other.span && statementAt(other.span);
      return around && touch(around.span, span);
    });
    if (derailed) return true;
    const beside = (other: Diagnostic) => other.span && statementAt(other.span) === statement;
    if (one.severity === 'warning')
      return kept.some(other => isTextCode(other.code) && other.severity === 'error' && beside(other));
    if (statement?.kind === 'space') {
      const explains = (other: Diagnostic) =>
        (NAMES.includes(code) && isTextCode(other.code)) ||
        (NAMES.includes(code) && NAMES.includes(other.code) && other.span && touch(other.span, span));
      if (kept.some(other => beside(other) && explains(other))) return true;
      // A misspelt profile is not missing as well.
      const misspelt = (other: Diagnostic) => other.code === 'bad-profile' && beside(other);
      if (code === 'missing-profile' && considered.some(misspelt)) return true;
    }
    // What belongs to a block of which not even the kind is known.
    if (code === 'unexpected' && statement) {
      const before = tree.statements[tree.statements.indexOf(statement) - 1];
      const unknown = (one: Statement | undefined) => one?.kind === 'block' && !isKind(one.keyword.text);
      if (unknown(statement) || unknown(before)) return true;
    }
    const dependent = DEPENDENT.includes(code);
    if (isTextCode(code) && !dependent) return false;
    return kept.some(other => {
      if (!other.span || other.severity !== 'error') return false;
      const earlier = other.span.line === span.line && other.span.start < span.start;
      if (dependent && earlier && DERAILING.includes(other.code) && beside(other)) return true;
      return touch(other.span, span) && (isTextCode(other.code) || other.code === code);
    });
  };
  const seen = new Set<string>();
  const byWeight = considered.toSorted(
    (a, b) => errorsFirst(a, b) || weight(a) - weight(b) || start(a) - start(b),
  );
  for (const diagnostic of byWeight) {
    const { code, span, message } = diagnostic;
    const key = JSON.stringify([code, span?.file, span?.start, span?.end, message]);
    if (!seen.has(key) && !echo(diagnostic)) kept.push(diagnostic);
    seen.add(key);
  }
  // `kept` is errors first, so that a listing cut short still shows that there are some.
  const shown = kept.slice(0, LIMIT).sort(inOrder);
  const more = all.length > CONSIDERED ? all.length - shown.length : kept.length - shown.length;
  if (more === 0) return shown;
  const code = 'too-many-mistakes';
  return [...shown, { code, severity: catalogue[code].severity, message: `and ${more} more` }];
}
