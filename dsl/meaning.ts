/** What a program means, wherever it was written: two programs are equal if these texts are. */
import type { Program } from './program.ts';

/** The program as JSON without places in source texts and the name of its file. */
export function meaningOf({ file: _, ...program }: Program): string {
  // A shared parameter is known by the place it was written at; what counts is who shares it.
  const shared = new Map<string, number>();
  const number = (key: string) => shared.get(key) ?? shared.set(key, shared.size).size - 1;
  return JSON.stringify(program, (name, value: unknown) => {
    if (name === 'origin' || name === 'span') return undefined;
    if (name === 'share') {
      const { scope, key } = value as { scope: string; key: string };
      return { scope, key: number(key) };
    }
    // One order of keys, whoever made the object.
    if (value === null || typeof value !== 'object' || Array.isArray(value)) return value;
    return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
  });
}
