/**
 * Reading small files and JSON from strangers: every size is capped before a byte is parsed, text must be valid UTF-8,
 * nesting is bounded, and keys that would touch a prototype are refused. System errors become faults.
 */
import { closeSync, constants, fstatSync, openSync, readSync, realpathSync } from 'node:fs';
import { basename, dirname, join, sep } from 'node:path';
import { fault } from '../report/fault.ts';
import { type JsonLimits, parseJsonText, SMALL_JSON } from './json.ts';
import { decodeUtf8, quote } from './text.ts';

export { hasPrototypeKey, type JsonLimits, nestingDepth, parseJsonText, SMALL_JSON } from './json.ts';
export { decodeUtf8, isWellFormed, quote } from './text.ts';

export function isSystemError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && typeof (error as NodeJS.ErrnoException).code === 'string';
}

/** Turns ENOENT and its like into a fault that names the path; anything else is passed on as it is. */
export function readFault(path: string, error: unknown): unknown {
  if (!isSystemError(error)) return error;
  if (error.code === 'ENOENT' || error.code === 'ENOTDIR') {
    return fault('file-not-found', `${quote(path)} does not exist`);
  }
  return fault('unreadable-file', `${quote(path)} cannot be read (${error.code})`);
}

/** A regular file open for reading and its size in bytes; the caller closes it. */
export function openForReading(path: string): { handle: number; size: number } {
  let handle: number;
  try {
    // A pipe that nobody writes to would keep us waiting; it is no regular file, as is found below.
    handle = openSync(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
  } catch (error) {
    throw readFault(path, error);
  }
  const stat = fstatSync(handle);
  if (!stat.isFile()) {
    closeSync(handle);
    throw fault('unreadable-file', `${quote(path)} is not a regular file`);
  }
  return { handle, size: stat.size };
}

/** Fills `target` from byte `position`, looping over short reads; a file that ends early is a fault. */
export function readFully(handle: number, target: Uint8Array, position: number, path: string): void {
  let done = 0;
  while (done < target.length) {
    let count: number;
    try {
      count = readSync(handle, target, done, target.length - done, position + done);
    } catch (error) {
      throw readFault(path, error);
    }
    if (count === 0) {
      throw fault(
        'short-read',
        `${quote(path)} ended at byte ${position + done}; it was longer when it was opened`,
      );
    }
    done += count;
  }
}

/** The first bytes of a file as text. */
export function readHead(path: string, bytes: number): string {
  const { handle, size } = openForReading(path);
  try {
    const head = new Uint8Array(Math.min(bytes, size));
    readFully(handle, head, 0, path);
    return new TextDecoder().decode(head);
  } finally {
    closeSync(handle);
  }
}

/** The whole of a file of at most `maxBytes` bytes. */
export function readSmallFile(path: string, maxBytes: number): Uint8Array {
  const { handle, size } = openForReading(path);
  try {
    if (size > maxBytes) {
      throw fault('file-too-large', `${quote(path)} has ${size} bytes; at most ${maxBytes} are read`);
    }
    const bytes = new Uint8Array(size);
    readFully(handle, bytes, 0, path);
    return bytes;
  } finally {
    closeSync(handle);
  }
}

/** A JSON file within limits. */
export function readJson(path: string, limits: JsonLimits = SMALL_JSON): unknown {
  const text = decodeUtf8(readSmallFile(path, limits.maxBytes));
  if (text === undefined) throw fault('bad-json', `${quote(path)} is not valid UTF-8`);
  return parseJsonText(text, path, limits);
}

/**
 * Path of `name` inside `folder`, with links followed. A name with a folder in it, and a link that leaves the folder, are
 * faults; the one exception is the Hugging Face cache, where `snapshots/REVISION/NAME` links into the sibling `blobs`.
 */
export function resolveInside(folder: string, name: string): string {
  if (name === '' || name === '.' || name === '..' || /[/\\\0]/.test(name) || basename(name) !== name) {
    throw fault('unsafe-path', `${quote(name)} is not a plain file name`);
  }
  const path = join(folder, name);
  let root: string;
  let real: string;
  try {
    root = realpathSync(folder);
    real = realpathSync(path);
  } catch (error) {
    throw readFault(path, error);
  }
  if (real.startsWith(root.endsWith(sep) ? root : root + sep)) return real;
  const snapshots = dirname(root);
  const blobs = join(dirname(snapshots), 'blobs') + sep;
  if (basename(snapshots) === 'snapshots' && real.startsWith(blobs)) return real;
  throw fault('unsafe-path', `${quote(path)} is a link out of its folder`);
}

/** Whether `folder` has a file of this name (a dangling link counts as absent). */
export function hasFile(folder: string, name: string): boolean {
  try {
    realpathSync(join(folder, name));
    return true;
  } catch {
    return false;
  }
}
