/** Folders as a page has them, from the disk; and a tiny run of the command line's to compare with. */
import { readdirSync } from 'node:fs';
import { join, relative } from 'node:path';
import type { Folder } from '../../src/web/files.ts';

export function folderOf(path: string): Folder {
  const files = readdirSync(path, { recursive: true, withFileTypes: true }).filter(entry => entry.isFile());
  return new Map(
    files.map(({ parentPath, name }) => [
      relative(path, join(parentPath, name)),
      Bun.file(join(parentPath, name)),
    ]),
  );
}
