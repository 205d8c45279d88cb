/**
 * A mistake is data. Everything that can go wrong for a user, from a misspelt word to a full disk, is a `Diagnostic`:
 * a stable kebab-case code, a severity, a message in lower case without a full stop, a place, help and notes.
 * Renderers turn it into text, JSON or editor squiggles; nothing else formats it.
 */
import type { Span } from '../program.ts';

export type Severity = 'error' | 'warning' | 'note';

export interface Diagnostic {
  code: string;
  severity: Severity;
  message: string;
  /** Where; absent for faults that have no place in a source text (a missing GPU, say). */
  span?: Span;
  /** Text under the primary place. */
  label?: string;
  related?: { span: Span; message: string }[];
  notes?: string[];
  /** One imperative sentence: what to do about it. */
  help?: string;
  fix?: { description: string; edits: { span: Span; text: string }[]; applicability: 'safe' | 'unsafe' };
}
