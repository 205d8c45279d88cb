/** `bun run generate:docs`: writes what is generated of docs/ and dsl/editor/. */
import { readFileSync, writeFileSync } from 'node:fs';
import { generated } from './generated.ts';

for (const [path, text] of Object.entries(generated(path => readFileSync(path, 'utf8')))) {
  writeFileSync(path, text);
  process.stdout.write(`${path}\n`);
}
