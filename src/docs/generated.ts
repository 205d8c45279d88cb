/** Every generated text by its path from the root, so that a test can tell whether the files are fresh. */
import { languageConfiguration, textMateGrammar } from '../../dsl/editor/textmate.ts';
import { diagnosticsPage } from './diagnostics.ts';
import { refreshed } from './reference.ts';

export function generated(read: (path: string) => string): Record<string, string> {
  return {
    'docs/diagnostics.md': diagnosticsPage(),
    'dsl/editor/language-configuration.json': languageConfiguration(),
    'dsl/editor/mos.tmLanguage.json': textMateGrammar(),
    'docs/language.md': refreshed(read('docs/language.md')),
  };
}
