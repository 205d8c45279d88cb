/**
 * Every mistake the language can report, by code. Messages are written where the mistake is found, because only
 * there are the names known; what a code means, and how it looks, is written here, and pages are made from it.
 */
import { meaningEntries } from './catalogue-meaning.ts';
import { spaceEntries } from './catalogue-space.ts';
import { sweepEntries } from './catalogue-sweep.ts';
import { textEntries } from './catalogue-text.ts';
import type { CatalogueEntry } from './entry.ts';

export const catalogue = { ...textEntries, ...meaningEntries, ...sweepEntries, ...spaceEntries };
export type Code = keyof typeof catalogue;

/** How the text is damaged where one of these occurs: what else is said about the same place is doubtful. */
export const isTextCode = (code: string): boolean => Object.hasOwn(textEntries, code);

export const isCode = (code: string): code is Code => Object.hasOwn(catalogue, code);

export const entryOf = (code: string): CatalogueEntry | undefined =>
  isCode(code) ? catalogue[code] : undefined;

/** The page about a code, as plain text; undefined for a code that is not in the catalogue. */
export function explain(code: string): string | undefined {
  const entry = entryOf(code);
  if (!entry) return undefined;
  const indent = (text: string) => {
    const lines = text.split('\n').map(line => `    ${line.length > 96 ? `${line.slice(0, 95)}…` : line}`);
    return (lines.length > 8 ? [...lines.slice(0, 6), '    …', ...lines.slice(-1)] : lines).join('\n');
  };
  return [
    `${entry.severity}[${code}]`,
    '',
    entry.about,
    '',
    'Wrong:',
    '',
    indent(entry.wrong),
    '',
    'Right:',
    '',
    indent(entry.right),
    '',
  ].join('\n');
}
