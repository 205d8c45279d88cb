/** Every generated text by its path from the root, so that a test can tell whether the files are fresh. */
import { diagnosticsPage } from './diagnostics.ts';
import { refreshed } from './reference.ts';

export function generated(read: (path: string) => string): Record<string, string> {
  return {
    'docs/diagnostics.md': diagnosticsPage(),
    'docs/language.md': refreshed(read('docs/language.md')),
  };
}
