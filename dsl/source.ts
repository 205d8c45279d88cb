/**
 * A source text and its line table: turns character offsets into the `Span`s that diagnostics and the program carry.
 * Offsets are UTF-16 code units from 0; lines and columns are from 1. `\n`, `\r\n` and a lone `\r` each end a line.
 */
import type { Span } from './program.ts';

export class Source {
  readonly path: string;
  readonly text: string;
  private readonly lineStarts: number[] = [0];
  /** The line that was found last. */
  private latest = 0;

  constructor(path: string, text: string) {
    this.path = path;
    this.text = text;
    for (const match of text.matchAll(/\r\n|\n|\r/g)) this.lineStarts.push(match.index + match[0].length);
  }

  /** Line and column of an offset, both from 1. */
  position(offset: number): { line: number; column: number } {
    // Places are mostly asked for in the order of the text.
    const here = this.lineStarts[this.latest] ?? 0;
    const next = this.lineStarts[this.latest + 1] ?? Number.POSITIVE_INFINITY;
    if (here <= offset && offset < next) return { line: this.latest + 1, column: offset - here + 1 };
    let low = 0;
    let high = this.lineStarts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((this.lineStarts[middle] ?? 0) <= offset) low = middle;
      else high = middle - 1;
    }
    this.latest = low;
    return { line: low + 1, column: offset - (this.lineStarts[low] ?? 0) + 1 };
  }

  span(start: number, end: number): Span {
    const from = Math.max(0, Math.min(start, this.text.length));
    const to = Math.max(from, Math.min(end, this.text.length));
    return { file: this.path, start: from, end: to, ...this.position(from) };
  }

  /** The text of a line (from 1), without its line ending. */
  lineText(line: number): string {
    const start = this.lineStarts[line - 1] ?? this.text.length;
    const end = this.lineStarts[line] ?? this.text.length;
    return this.text.slice(start, end).replace(/[\r\n]+$/, '');
  }

  lineStart(line: number): number {
    return this.lineStarts[line - 1] ?? this.text.length;
  }

  slice(span: Span): string {
    return this.text.slice(span.start, span.end);
  }
}

/** The smallest span that holds both; `a` must not start after `b`. */
export function cover(a: Span, b: Span): Span {
  return { ...a, end: Math.max(a.end, b.end) };
}
