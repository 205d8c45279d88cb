import type { Severity } from './diagnostic.ts';

/** What the catalogue knows about a code: enough to print a page about it. */
export interface CatalogueEntry {
  severity: Severity;
  /** What the mistake is and why it is one, in one to three sentences. */
  about: string;
  /** The smallest text that makes the mistake, and the same text corrected. A test runs both. */
  wrong: string;
  right: string;
}

/** Keeps the codes as literal types, so that a code not in the catalogue does not compile. */
export const entries = <C extends string>(table: Record<C, CatalogueEntry>): Record<C, CatalogueEntry> =>
  table;
