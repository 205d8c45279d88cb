/** A file layer in which one chosen call goes wrong. */
import { truncateSync } from 'node:fs';
import { type Files, realFiles } from '../../src/host/files.ts';

export type Mishap =
  /** The call fails with this code; those after it work. */
  | { fails: 'ENOSPC' | 'EIO' | 'EXDEV' | 'EROFS' }
  /** Every write from here on takes one byte at a time (the first) or a third (the others). */
  | { short: true }
  /** The disk is full: the write under way takes a third, later ones nothing. */
  | { full: true }
  /** The machine goes off: neither this call nor any later one happens, and what was not synced is lost in part. */
  | { off: true }
  /** The process is killed, by itself, before the call. */
  | { kill: true };

/** What `off` looks like from inside; no code handles it. */
export class PowerLoss extends Error {}

export interface FaultyFiles {
  files: Files;
  /** Calls made so far, by name. */
  calls: string[];
}

/** `at`: number of the call that goes wrong, from 0; none by default. Reading is not counted. */
export function faultyFiles(at = Number.POSITIVE_INFINITY, mishap: Mishap = { fails: 'EIO' }): FaultyFiles {
  const calls: string[] = [];
  const open = new Map<number, string>();
  const dirty = new Set<string>();
  let off = false;
  let full = false;
  const before = (name: string) => {
    if (off) throw new PowerLoss();
    const due = calls.length === at;
    calls.push(name);
    if (!due) return;
    if ('fails' in mishap) throw Object.assign(new Error(mishap.fails), { code: mishap.fails });
    if ('kill' in mishap) process.kill(process.pid, 'SIGKILL');
    if ('off' in mishap) {
      off = true;
      for (const path of dirty) truncateSync(path, 3);
      throw new PowerLoss();
    }
  };
  const files: Files = {
    list: path => realFiles.list(path),
    free: path => realFiles.free(path),
    makeFolder(path) {
      before('makeFolder');
      realFiles.makeFolder(path);
    },
    open(path, flags) {
      before(`open ${flags}`);
      const handle = realFiles.open(path, flags);
      open.set(handle, path);
      return handle;
    },
    write(handle, bytes, offset, length) {
      before('write');
      if (full) throw Object.assign(new Error('ENOSPC'), { code: 'ENOSPC' });
      full = 'full' in mishap && calls.length > at;
      const short = full || ('short' in mishap && calls.length > at);
      dirty.add(open.get(handle)!);
      return realFiles.write(handle, bytes, offset, short ? Math.max(1, Math.floor(length / 3)) : length);
    },
    truncate(handle, length) {
      before('truncate');
      realFiles.truncate(handle, length);
    },
    sync(handle) {
      before('sync');
      realFiles.sync(handle);
      dirty.delete(open.get(handle)!);
    },
    close(handle) {
      if (!off) before('close');
      realFiles.close(handle);
      open.delete(handle);
    },
    rename(from, to) {
      before('rename');
      realFiles.rename(from, to);
    },
    remove(path) {
      before('remove');
      realFiles.remove(path);
    },
  };
  return { files, calls };
}
