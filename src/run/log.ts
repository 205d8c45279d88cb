/** The run's log: one JSON object per line, appended as it happens. */
import { closeSync, mkdirSync, openSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';

export class RunLog {
  private readonly handle: number;

  constructor(path: string) {
    mkdirSync(dirname(path), { recursive: true });
    this.handle = openSync(path, 'w', 0o600);
  }

  /** `type` says what the other fields are. JSON has no NaN: such numbers are written as null. */
  write(type: string, fields: Record<string, unknown>): void {
    writeSync(this.handle, `${JSON.stringify({ type, ...fields })}\n`);
  }

  close(): void {
    closeSync(this.handle);
  }
}
