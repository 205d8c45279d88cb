/** Collects diagnostics. The severity comes from the catalogue, and a code that is not in it does not compile. */
import type { Span } from '../program.ts';
import { type Code, catalogue } from './catalogue.ts';
import type { Diagnostic } from './diagnostic.ts';

export type Extra = Omit<Diagnostic, 'code' | 'severity' | 'message' | 'span'>;

export class Report {
  readonly list: Diagnostic[] = [];

  add(code: Code, span: Span | undefined, message: string, extra: Extra = {}): void {
    this.list.push({ code, severity: catalogue[code].severity, message, ...(span && { span }), ...extra });
  }

  get failed(): boolean {
    return this.list.some(diagnostic => diagnostic.severity === 'error');
  }
}

/** A fix that replaces one place by a text. */
export const fix = (
  description: string,
  span: Span,
  text: string,
  applicability: 'safe' | 'unsafe',
): { fix: NonNullable<Diagnostic['fix']> } => ({
  fix: { description, edits: [{ span, text }], applicability },
});
