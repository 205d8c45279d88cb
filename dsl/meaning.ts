/** What a program means, wherever it was written: two programs are equal if these texts are. */
import type { Program } from './program.ts';

/** The program as JSON without places in source texts and the name of its file. */
export function meaningOf({ file: _, ...program }: Program): string {
  return JSON.stringify(program, (key, value: unknown) =>
    key === 'origin' || key === 'span' ? undefined : value,
  );
}
