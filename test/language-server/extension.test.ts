/** The extension of Visual Studio Code: what its manifest names is there, and fits the server. */
import { expect, test } from 'bun:test';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const ROOT = join(import.meta.dir, '../..');
const json = (path: string) => JSON.parse(readFileSync(join(ROOT, path), 'utf8'));

test('the manifest', () => {
  const manifest = json('editors/vscode/package.json');
  const [grammar] = manifest.contributes.grammars;
  const [language] = manifest.contributes.languages;
  expect(existsSync(join(ROOT, 'editors/vscode', manifest.main))).toBe(true);
  // Copied beside it when it is installed.
  for (const file of [grammar.path, language.configuration]) {
    expect(existsSync(join(ROOT, 'dsl/editor', file))).toBe(true);
    expect(manifest.scripts.prepare).toContain(`dsl/editor/${file.replace('./', '')}`);
  }
  expect(json('dsl/editor/mos.tmLanguage.json').scopeName).toBe(grammar.scopeName);
  expect(language.extensions).toEqual(['.mos']);
});

test('the client is a script that can be read, and starts `lsp`', () => {
  const text = readFileSync(join(ROOT, 'editors/vscode/extension.cjs'), 'utf8');
  expect(() => new Function('require', 'exports', text)).not.toThrow();
  expect(text).toContain("[...args, 'lsp']");
});
