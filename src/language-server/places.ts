/** Offsets of the language ↔ positions of the protocol, which count lines and UTF-16 columns from 0. */
import type { Position, Range } from 'vscode-languageserver';
import type { Source } from '../../dsl/source.ts';

export function positionOf(source: Source, offset: number): Position {
  const { line, column } = source.position(Math.max(0, Math.min(offset, source.text.length)));
  return { line: line - 1, character: column - 1 };
}

export const rangeOf = (source: Source, { start, end }: { start: number; end: number }): Range => ({
  start: positionOf(source, start),
  end: positionOf(source, end),
});

/** A position behind the end of its line is the end of the line. */
export function offsetOf(source: Source, { line, character }: Position): number {
  return source.lineStart(line + 1) + Math.min(character, source.lineText(line + 1).length);
}
