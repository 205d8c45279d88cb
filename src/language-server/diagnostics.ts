/** Diagnostics and their corrections, as the protocol has them. */
import {
  type CodeAction,
  CodeActionKind,
  DiagnosticSeverity,
  DiagnosticTag,
  type Range,
  type Diagnostic as Sent,
  type TextEdit,
} from 'vscode-languageserver';
import type { Diagnostic, Span } from '../../dsl/index.ts';
import { Source } from '../../dsl/source.ts';
import type { Analysis } from './analysis.ts';
import { type Host, uriOf } from './host.ts';
import { rangeOf } from './places.ts';

const SEVERITY = {
  error: DiagnosticSeverity.Error,
  warning: DiagnosticSeverity.Warning,
  note: DiagnosticSeverity.Information,
};
/** Greyed out by editors. */
const UNUSED = ['unused-constant', 'trains-nothing', 'router-without-choice'];

export function diagnostics(analysis: Analysis, host: Host): Sent[] {
  return analysis.diagnostics.map(one => {
    const { code, severity, message, help, notes = [], related = [], span } = one;
    const elsewhere = span && span.file !== analysis.path ? [{ span, message }] : [];
    const text = [message, ...(help ? [`help: ${help}`] : []), ...notes.map(note => `note: ${note}`)].join(
      '\n',
    );
    return {
      range: rangeFor(one, analysis),
      severity: SEVERITY[severity],
      code,
      source: 'mos',
      message: text,
      ...(UNUSED.includes(code) && { tags: [DiagnosticTag.Unnecessary] }),
      relatedInformation: [...elsewhere, ...related].flatMap(about =>
        location(about.span, about.message, analysis, host),
      ),
    };
  });
}

/** In this file: the place itself; the `use` through which another file came; or the start. */
function rangeFor({ span }: Diagnostic, { path, source, tree }: Analysis): Range {
  if (span?.file === path)
    return rangeOf(source, span.end > span.start ? span : { start: span.start, end: span.start + 1 });
  const use = span && tree.statements.find(({ kind }) => kind === 'use');
  return rangeOf(source, use ? use.span : { start: 0, end: 0 });
}

function location(span: Span, message: string, { path, source }: Analysis, host: Host) {
  const text = span.file === path ? undefined : host.readFile(span.file);
  if (span.file !== path && text === undefined) return [];
  const of = text === undefined ? source : new Source(span.file, text);
  return [{ location: { uri: uriOf(span.file), range: rangeOf(of, span) }, message }];
}

const overlaps = (a: Range, b: Range): boolean =>
  (a.start.line < b.end.line || (a.start.line === b.end.line && a.start.character <= b.end.character)) &&
  (b.start.line < a.end.line || (b.start.line === a.end.line && b.start.character <= a.end.character));

function editsOf({ fix }: Diagnostic, { source, path }: Analysis): TextEdit[] | undefined {
  if (!fix || fix.edits.some(({ span }) => span.file !== path)) return undefined;
  return fix.edits.map(({ span, text }) => ({ range: rangeOf(source, span), newText: text }));
}

/** A correction for each mistake in the range that has one, and one for all safe ones of the file. */
export function actions(analysis: Analysis, range: Range, host: Host): CodeAction[] {
  const uri = uriOf(analysis.path);
  const sent = diagnostics(analysis, host);
  const found = analysis.diagnostics.flatMap((one, i): CodeAction[] => {
    const edits = editsOf(one, analysis);
    if (!edits || !overlaps(sent[i].range, range)) return [];
    const safe = one.fix?.applicability === 'safe';
    const title = one.fix?.description ?? '';
    return [
      {
        title,
        kind: CodeActionKind.QuickFix,
        isPreferred: safe,
        diagnostics: [sent[i]],
        edit: { changes: { [uri]: edits } },
      },
    ];
  });
  const safe = analysis.diagnostics
    .filter(({ fix }) => fix?.applicability === 'safe')
    .flatMap(one => editsOf(one, analysis) ?? []);
  if (safe.length === 0) return found;
  return [
    ...found,
    {
      title: 'correct what can be corrected safely',
      kind: CodeActionKind.SourceFixAll,
      edit: { changes: { [uri]: withoutOverlap(safe) } },
    },
  ];
}

/** Edits of one change must not overlap; of two that do, the first holds. */
function withoutOverlap(edits: TextEdit[]): TextEdit[] {
  const before = (a: TextEdit, b: TextEdit) =>
    a.range.start.line - b.range.start.line || a.range.start.character - b.range.start.character;
  const kept: TextEdit[] = [];
  for (const edit of edits.toSorted(before)) {
    const last = kept.at(-1);
    const same = last && JSON.stringify(last.range) === JSON.stringify(edit.range);
    const inside =
      last &&
      (edit.range.start.line < last.range.end.line ||
        (edit.range.start.line === last.range.end.line &&
          edit.range.start.character < last.range.end.character));
    if (!same && !inside) kept.push(edit);
  }
  return kept;
}
