/**
 * What saving needs of a file system, as one small interface, so that tests can make any single call fail, write less
 * than asked, or be the last thing a process does. On top of it: files that are either absent, the old one or complete.
 */
import { createHash, randomBytes } from 'node:crypto';
import {
  closeSync,
  fsyncSync,
  ftruncateSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  statfsSync,
  writeSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { fault } from '../report/fault.ts';

export interface Files {
  /** Makes a folder and those above it; one that exists is fine. */
  makeFolder(path: string): void;
  /** Names in a folder; none if there is no such folder. */
  list(path: string): string[];
  /** `wx`: a new file; `a`: to append, made if absent; `r`: to sync a folder. Returns a handle. */
  open(path: string, flags: 'wx' | 'a' | 'r'): number;
  /** Writes at most `length` bytes and returns how many. */
  write(handle: number, bytes: Uint8Array, offset: number, length: number): number;
  truncate(handle: number, length: number): void;
  sync(handle: number): void;
  close(handle: number): void;
  rename(from: string, to: string): void;
  /** Deletes a file, or a folder with all that is in it; what is absent is fine. */
  remove(path: string): void;
  /** Bytes that may still be written near `path`; undefined where the system does not say. */
  free(path: string): number | undefined;
}

export const realFiles: Files = {
  makeFolder: path => void mkdirSync(path, { recursive: true }),
  list(path) {
    try {
      return readdirSync(path);
    } catch (error) {
      if (systemCode(error) === 'ENOENT') return [];
      throw error;
    }
  },
  open: (path, flags) => openSync(path, flags, 0o600),
  write: (handle, bytes, offset, length) => writeSync(handle, bytes, offset, length),
  truncate: (handle, length) => ftruncateSync(handle, length),
  sync: handle => fsyncSync(handle),
  close: handle => closeSync(handle),
  rename: (from, to) => renameSync(from, to),
  remove: path => rmSync(path, { recursive: true, force: true }),
  free(path) {
    try {
      const { bavail, bsize } = statfsSync(path);
      // Some network and in-memory systems report zeros.
      return bavail * bsize || undefined;
    } catch {
      return undefined;
    }
  },
};

/** The code of an error of the operating system, such as ENOSPC; undefined for any other exception. */
export function systemCode(error: unknown): string | undefined {
  const code = error instanceof Error ? (error as NodeJS.ErrnoException).code : undefined;
  return typeof code === 'string' && /^E[A-Z0-9]+$/.test(code) ? code : undefined;
}

/** Largest single write; some systems refuse more than 2 GiB. */
const LARGEST_WRITE = 2 ** 30;

/** Writes everything, however little the system takes at a time. */
export function writeAll(files: Files, handle: number, bytes: Uint8Array): void {
  for (let done = 0; done < bytes.length; ) {
    const written = files.write(handle, bytes, done, Math.min(bytes.length - done, LARGEST_WRITE));
    // A system that takes nothing and reports no error would keep us here for ever.
    if (written <= 0) throw Object.assign(new Error('nothing could be written'), { code: 'EIO' });
    done += written;
  }
}

export interface Written {
  bytes: number;
  sha256: string;
}

/** A new file with this content, on disk when this returns. A failed fsync is never repeated: the caller discards the file. */
export function writeNew(files: Files, path: string, parts: Iterable<Uint8Array>): Written {
  const hash = createHash('sha256');
  let bytes = 0;
  const handle = files.open(path, 'wx');
  try {
    for (const part of parts) {
      writeAll(files, handle, part);
      hash.update(part);
      bytes += part.length;
    }
    files.sync(handle);
  } catch (error) {
    // The first failure is the one to report.
    attempt(() => files.close(handle));
    throw error;
  }
  files.close(handle);
  return { bytes, sha256: hash.digest('hex') };
}

/** A rename is only durable once the folder itself is on disk. */
export function syncFolder(files: Files, path: string): void {
  const handle = files.open(path === '' ? '.' : path, 'r');
  try {
    files.sync(handle);
  } finally {
    files.close(handle);
  }
}

export const randomName = (): string => randomBytes(6).toString('hex');

/** Replaces a file in one step; on any failure the old one stays and nothing is left beside it. Refuses links and folders. */
export function replaceFile(files: Files, path: string, parts: Iterable<Uint8Array>): void {
  const existing = lstatSync(path, { throwIfNoEntry: false });
  if (existing && !existing.isFile()) {
    throw Object.assign(new Error('a link or a folder is not written through'), { code: 'EEXIST' });
  }
  const aside = join(dirname(path), `.${basename(path)}.tmp-${randomName()}`);
  try {
    writeNew(files, aside, parts);
    files.rename(aside, path);
    syncFolder(files, dirname(path));
  } catch (error) {
    attempt(() => files.remove(aside));
    throw error;
  }
}

/** Throws `unsafe-path` where a name in `folder` is taken by anything but what is to be written there. */
export function refuseOthers(folder: string, names: Record<string, 'file' | 'folder'>): void {
  for (const [name, kind] of Object.entries(names)) {
    const path = join(folder, name);
    const found = lstatSync(path, { throwIfNoEntry: false });
    if (!found || (kind === 'file' ? found.isFile() : found.isDirectory())) continue;
    throw fault('unsafe-path', `\`${path}\` is in the way: it is not a plain ${kind}`);
  }
}

/** For tidying up behind a failure: a second one is not worth a word. */
export function attempt(action: () => void): void {
  try {
    action();
  } catch {
    // The reason for being here is reported by whoever called.
  }
}
