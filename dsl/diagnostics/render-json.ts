/** Diagnostics for programs: one versioned object. Lines and columns count from 1, offsets from 0. */
import type { Span } from '../program.ts';
import { Source } from '../source.ts';
import type { Diagnostic } from './diagnostic.ts';
import { type Sources, sourceText } from './render-text.ts';

interface Place {
  file: string;
  start: { offset: number; line: number; column: number };
  /** Line and column are absent where the source text is not at hand. */
  end: { offset: number; line?: number; column?: number };
}

export function renderJson(diagnostics: readonly Diagnostic[], sources: Sources = {}): string {
  const cache = new Map<string, Source | undefined>();
  const place = ({ file, start, end, line, column }: Span): Place => {
    if (!cache.has(file)) {
      const text = sourceText(sources, file);
      cache.set(file, text === undefined ? undefined : new Source(file, text));
    }
    return {
      file,
      start: { offset: start, line, column },
      end: { offset: end, ...cache.get(file)?.position(end) },
    };
  };
  const count = (severity: string) =>
    diagnostics.filter(diagnostic => diagnostic.severity === severity).length;
  const body = {
    version: 1,
    errors: count('error'),
    warnings: count('warning'),
    diagnostics: diagnostics.map(({ span, related, fix, ...rest }) => ({
      ...rest,
      ...(span && { place: place(span) }),
      ...(related && {
        related: related.map(({ span: where, message }) => ({ message, place: place(where) })),
      }),
      ...(fix && {
        fix: {
          description: fix.description,
          applicability: fix.applicability,
          edits: fix.edits.map(({ span: where, text }) => ({ place: place(where), text })),
        },
      }),
    })),
  };
  return `${JSON.stringify(body, null, 2)}\n`;
}
