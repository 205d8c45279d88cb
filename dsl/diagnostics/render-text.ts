/**
 * Diagnostics for a terminal: a headline, the place, the line with a caret under it, notes and help.
 *
 *     error[unknown-space]: `sphrere` is not a space
 *       --> tiny.mos:9:25
 *     9 |   experts: $curved * 2, sphrere(c=learn), euclid;
 *       |                         ^^^^^^^
 *       = help: replace it with `sphere`
 */
import type { Span } from '../program.ts';
import { Source } from '../source.ts';
import type { Diagnostic, Severity } from './diagnostic.ts';

/** Texts by path; what is missing is shown without a frame. */
export type Sources = ReadonlyMap<string, string> | Readonly<Record<string, string>>;

export const sourceText = (sources: Sources, file: string): string | undefined =>
  sources instanceof Map
    ? sources.get(file)
    : Object.hasOwn(sources, file)
      ? (sources as Record<string, string>)[file]
      : undefined;

/** Colours as escape sequences; whether the terminal wants them is for the caller to know. */
function paints(on: boolean) {
  const paint = (open: number, close: number) => (text: string) =>
    on ? `\u001b[${open}m${text}\u001b[${close}m` : text;
  return {
    bold: paint(1, 22),
    red: paint(31, 39),
    yellow: paint(33, 39),
    cyan: paint(36, 39),
    blue: paint(34, 39),
  };
}

/** Widest source line shown; longer ones are cut around the caret. */
const WIDTH = 120;

/** What would move the cursor, reorder text or start an escape sequence is shown as a replacement character. */
export const printable = (text: string): string =>
  text.replace(
    /[\u0000-\u0008\u000A-\u001F\u007F-\u009F\u061C\u200E\u200F\u202A-\u202E\u2066-\u2069\u2028\u2029\uFEFF]/g,
    '\uFFFD',
  );

export function renderText(
  diagnostics: readonly Diagnostic[],
  sources: Sources,
  options: { color?: boolean } = {},
): string {
  const colors = paints(options.color ?? false);
  const tint: Record<Severity, (text: string) => string> = {
    error: colors.red,
    warning: colors.yellow,
    note: colors.cyan,
  };
  const cache = new Map<string, Source | undefined>();
  const sourceOf = (file: string): Source | undefined => {
    if (!cache.has(file)) {
      const text = sourceText(sources, file);
      cache.set(file, text === undefined ? undefined : new Source(file, text));
    }
    return cache.get(file);
  };

  const render = (diagnostic: Diagnostic): string => {
    const paint = tint[diagnostic.severity];
    const places: { span: Span; label: string; arrow: string; mark: string }[] = [];
    if (diagnostic.span)
      places.push({ span: diagnostic.span, label: diagnostic.label ?? '', arrow: '-->', mark: '^' });
    for (const { span, message } of diagnostic.related ?? [])
      places.push({ span, label: message, arrow: ':::', mark: '-' });
    const digits = Math.max(
      1,
      ...places.filter(({ span }) => sourceOf(span.file)).map(({ span }) => String(span.line).length),
    );
    const margin = ' '.repeat(digits + 1);
    const lines = [
      `${colors.bold(paint(`${diagnostic.severity}[${diagnostic.code}]`))}${colors.bold(`: ${printable(diagnostic.message)}`)}`,
    ];
    for (const { span, label, arrow, mark } of places) {
      lines.push(`${margin}${colors.blue(arrow)} ${printable(span.file)}:${span.line}:${span.column}`);
      const source = sourceOf(span.file);
      if (!source) {
        if (label) lines.push(`${margin}${colors.blue('|')} ${printable(label)}`);
        continue;
      }
      const frame = frameOf(source, span, mark, printable(label));
      lines.push(`${colors.blue(`${String(span.line).padStart(digits)} |`)} ${frame.text}`.trimEnd());
      lines.push(`${margin}${colors.blue('|')} ${frame.before}${paint(frame.carets)}`);
    }
    for (const note of diagnostic.notes ?? [])
      lines.push(`${margin}${colors.blue('=')} note: ${printable(note)}`);
    if (diagnostic.help) lines.push(`${margin}${colors.blue('=')} help: ${printable(diagnostic.help)}`);
    return lines.join('\n');
  };
  return diagnostics.map(diagnostic => `${render(diagnostic)}\n`).join('\n');
}

/** The line, and what stands under it. Tabs are kept in the margin of the carets, so that they line up. */
function frameOf(
  source: Source,
  span: Span,
  mark: string,
  label: string,
): { text: string; before: string; carets: string } {
  const full = source.lineText(span.line);
  const column = Math.min(span.column - 1, full.length);
  const end = Math.min(column + Math.max(span.end - span.start, 1), Math.max(full.length, column + 1));
  let from = 0;
  let to = full.length;
  if (full.length > WIDTH) {
    from = Math.max(0, Math.min(column - 40, full.length - WIDTH));
    to = Math.min(full.length, from + WIDTH);
  }
  const head = from > 0 ? '…' : '';
  const tail = to < full.length ? '…' : '';
  const before = [...printable(head + full.slice(from, column))]
    .map(char => (char === '\t' ? '\t' : ' '))
    .join('');
  const width = Math.max(1, [...full.slice(column, Math.min(end, to))].length);
  return {
    text: printable(`${head}${full.slice(from, to)}${tail}`),
    before,
    carets: mark.repeat(width) + (label ? ` ${label}` : ''),
  };
}
