/**
 * One process per output folder. The lock is a file with the number of the process that holds it; one left behind by a
 * process that is gone is taken over, so a crash never has to be cleaned up by hand.
 */
import { linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { fault } from '../report/fault.ts';
import { randomName, systemCode } from './files.ts';

const NAME = 'run.lock';
const ATTEMPTS = 5;

interface Holder {
  pid: number;
  /** When that process started, in clock ticks since boot: numbers of processes are used again. Linux only. */
  started?: string | undefined;
  host: string;
}

export interface Lock {
  release(): void;
}

/** Takes the lock of a folder, which is made if need be. Throws `folder-in-use` while another process lives in it. */
export function lockFolder(folder: string): Lock {
  const path = join(folder, NAME);
  const mine: Holder = { pid: process.pid, started: startOf(process.pid), host: hostname() };
  const text = `${JSON.stringify(mine)}\n`;
  const aside = join(folder, `.${NAME}.${process.pid}-${randomName()}`);
  try {
    mkdirSync(folder, { recursive: true });
    // Written aside and linked into place, so that nobody ever reads half a lock.
    writeFileSync(aside, text, { flag: 'wx', mode: 0o600 });
  } catch (error) {
    throw fault('unwritable-file', `nothing can be written to \`${folder}\` (${systemCode(error) ?? error})`);
  }
  try {
    for (let i = 0; i < ATTEMPTS; i++) {
      try {
        place(aside, path, text);
        return { release: () => release(path, text) };
      } catch (error) {
        if (systemCode(error) !== 'EEXIST') throw unsupported(folder, error);
      }
      takeAwayStale(folder, path, aside);
    }
    throw inUse(folder, undefined);
  } finally {
    rmSync(aside, { force: true });
  }
}

function place(aside: string, path: string, text: string): void {
  try {
    linkSync(aside, path);
  } catch (error) {
    if (systemCode(error) === 'EEXIST') throw error;
    // A file system without hard links.
    writeFileSync(path, text, { flag: 'wx', mode: 0o600 });
  }
}

/** Throws `folder-in-use` while a living process holds the folder; takes nothing. */
export function checkUnlocked(folder: string): void {
  const text = read(join(folder, NAME));
  if (text !== undefined && isHeld(text)) throw inUse(folder, text);
}

/** Whoever moves the file away owns the decision; if it was not the one that was judged, it goes back. */
function takeAwayStale(folder: string, path: string, aside: string): void {
  const judged = read(path);
  if (judged === undefined) return;
  if (isHeld(judged)) throw inUse(folder, judged);
  const moved = `${aside}.stale`;
  try {
    renameSync(path, moved);
  } catch {
    return;
  }
  if (read(moved) !== judged) {
    try {
      linkSync(moved, path);
    } catch {
      // A third process has taken it meanwhile: that one holds it.
    }
  }
  rmSync(moved, { force: true });
}

function release(path: string, text: string): void {
  if (read(path) === text) rmSync(path, { force: true });
}

function isHeld(text: string): boolean {
  let holder: Partial<Holder> | null;
  try {
    holder = JSON.parse(text) as Partial<Holder> | null;
  } catch {
    return false;
  }
  if (!Number.isInteger(holder?.pid) || holder!.pid! <= 0) return false;
  // Over a network file system nothing can be said about the other machine: believe the lock.
  if (holder!.host !== hostname()) return true;
  if (holder!.pid === process.pid) return holder!.started === startOf(process.pid);
  try {
    process.kill(holder!.pid!, 0);
  } catch (error) {
    if (systemCode(error) === 'ESRCH') return false;
  }
  const started = startOf(holder!.pid!);
  return !holder!.started || !started || holder!.started === started;
}

function inUse(folder: string, text: string | undefined): Error {
  let who = 'another process';
  try {
    const { pid, host } = JSON.parse(text ?? '{}') as Partial<Holder>;
    if (pid) who = host === hostname() ? `process ${pid}` : `process ${pid} on another machine`;
  } catch {
    // Then it is just another process.
  }
  return fault('folder-in-use', `${who} is training into \`${folder}\``, {
    notes: [`the lock is \`${join(folder, NAME)}\``],
  });
}

function unsupported(folder: string, error: unknown): Error {
  return fault('unwritable-file', `\`${folder}\` cannot be locked (${systemCode(error) ?? error})`);
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

/** Field 22 of /proc/PID/stat; the name in field 2 may hold spaces and parentheses. */
function startOf(pid: number): string | undefined {
  const stat = read(`/proc/${pid}/stat`);
  return stat?.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
}
