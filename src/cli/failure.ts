/** What an exception is to the user: a fault, also where the system refuses a file that nobody looked after, or a bug. */
import type { Diagnostic } from '../../dsl/diagnostics/diagnostic.ts';
import { Fault, fault } from '../report/fault.ts';

export type Failure =
  | { kind: 'fault'; diagnostics: Diagnostic[] }
  | { kind: 'bug'; message: string; stack?: string };

const READING = /^(stat|lstat|fstat|open|read|scandir|readdir|access|realpath|readlink|statfs)$/;
const WRITING = /^(write|mkdir|mkdtemp|rename|unlink|rm|rmdir|fsync|ftruncate|copyfile|link|symlink|chmod)$/;

export function failureOf(error: unknown): Failure {
  const found = error instanceof Fault ? error : refusal(error);
  if (found) return { kind: 'fault', diagnostics: found.diagnostics };
  if (!(error instanceof Error)) return { kind: 'bug', message: String(error) };
  return { kind: 'bug', message: error.message, ...(error.stack ? { stack: error.stack } : {}) };
}

/** `EACCES: permission denied, open 'x'` as a fault. */
function refusal(error: unknown): Fault | undefined {
  if (!(error instanceof Error)) return undefined;
  const { code, syscall = '', path, message } = error as NodeJS.ErrnoException;
  if (code === undefined || path === undefined) return undefined;
  const reason = /^\w+: (.+?), /.exec(message)?.[1] ?? 'refused by the system';
  const says = `\`${path}\`: ${reason} (${code})`;
  if (READING.test(syscall)) return fault('unreadable-file', says);
  return WRITING.test(syscall) ? fault('unwritable-file', says) : undefined;
}
