/** The run's log: one JSON object per line, appended as it happens. */
import { lstatSync } from 'node:fs';
import { dirname } from 'node:path';
import { type Files, realFiles, systemCode, writeAll } from '../host/files.ts';
import { readSmallFile } from '../model/files.ts';
import { fault } from '../report/fault.ts';

const LARGEST = 2 ** 32 - 4096;

export class RunLog {
  private readonly path: string;
  private readonly files: Files;
  private readonly handle: number;
  /** Length so far. */
  bytes: number;

  /** Opens the log of a run; `keep`: bytes of an earlier part that stay. The rest, and half a line, are cut off. */
  constructor(path: string, keep = 0, files: Files = realFiles) {
    this.path = path;
    this.files = files;
    const existing = lstatSync(path, { throwIfNoEntry: false });
    if (existing && !existing.isFile())
      throw fault('unsafe-path', `\`${path}\` is a link or a folder; it is not written through`);
    this.bytes = existing && keep > 0 ? wholeLines(path, keep) : 0;
    this.handle = this.guard(() => {
      files.makeFolder(dirname(path));
      const handle = files.open(path, 'a');
      files.truncate(handle, this.bytes);
      return handle;
    });
  }

  /** `type` says what the other fields are. JSON has no NaN: such numbers are written as null. */
  write(type: string, fields: Record<string, unknown>): void {
    const line = new TextEncoder().encode(`${JSON.stringify({ type, ...fields })}\n`);
    this.guard(() => writeAll(this.files, this.handle, line));
    this.bytes += line.length;
  }

  /** Everything written so far is on disk when this returns: a checkpoint relies on it. */
  sync(): void {
    this.guard(() => this.files.sync(this.handle));
  }

  close(): void {
    this.files.close(this.handle);
  }

  private guard<T>(action: () => T): T {
    try {
      return action();
    } catch (error) {
      const code = systemCode(error);
      if (code === undefined) throw error;
      throw fault('unwritable-file', `the log \`${this.path}\` cannot be written (${code})`);
    }
  }
}

/** Length of the complete lines among the first `keep` bytes; a log that somebody shortened is continued as it is. */
function wholeLines(path: string, keep: number): number {
  return readSmallFile(path, LARGEST).subarray(0, keep).lastIndexOf(10) + 1;
}
