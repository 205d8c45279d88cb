/** What the server needs of the world: files, and the shapes of base models. Open documents go before files on disk. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import type { ModelShape } from '../../compiler/plan/model.ts';
import { readConfig } from '../model/config.ts';

export interface Host {
  readFile(path: string): string | undefined;
  /** The shape of the base model in a folder; undefined where there is none that can be read. */
  modelShape(folder: string): ModelShape | undefined;
  /** Paths of the `.mos` files below a folder. */
  programs(folder: string): string[];
}

/** Largest file that is read, and most files that are looked through for a name. */
const MAX_BYTES = 16 * 2 ** 20;
const MAX_PROGRAMS = 1000;
const MAX_DEPTH = 8;

export class DiskHost implements Host {
  readonly #shapes = new Map<string, { modified: number; shape: ModelShape | undefined }>();

  readFile(path: string): string | undefined {
    try {
      const stat = statSync(path);
      return stat.isFile() && stat.size <= MAX_BYTES ? readFileSync(path, 'utf8') : undefined;
    } catch {
      return undefined;
    }
  }

  modelShape(folder: string): ModelShape | undefined {
    try {
      const modified = statSync(join(folder, 'config.json')).mtimeMs;
      const known = this.#shapes.get(folder);
      if (known?.modified === modified) return known.shape;
      let shape: ModelShape | undefined;
      try {
        shape = readConfig(folder);
      } catch {
        // `mos check` says what is wrong with it; hints just stay away.
      }
      this.#shapes.set(folder, { modified, shape });
      return shape;
    } catch {
      return undefined;
    }
  }

  programs(folder: string): string[] {
    const found: string[] = [];
    const visit = (at: string, depth: number): void => {
      let entries: ReturnType<typeof list>;
      try {
        entries = list(at);
      } catch {
        return;
      }
      for (const entry of entries) {
        if (found.length >= MAX_PROGRAMS) return;
        const path = `${at}/${entry.name}`;
        if (entry.isFile() && entry.name.endsWith('.mos')) found.push(path);
        else if (entry.isDirectory() && depth < MAX_DEPTH && !/^\.|^node_modules$/.test(entry.name))
          visit(path, depth + 1);
      }
    };
    visit(folder, 0);
    return found;
  }
}

const list = (folder: string) => readdirSync(folder, { withFileTypes: true });

/** Paths have forward slashes everywhere; a document that is no file keeps its URI as its path. */
export const pathOf = (uri: string): string =>
  uri.startsWith('file:') ? fileURLToPath(uri).replaceAll('\\', '/') : uri;

export const uriOf = (path: string): string =>
  /^[a-z][\w+.-]+:/i.test(path) && !/^[a-z]:\//i.test(path) ? path : pathToFileURL(path).href;
