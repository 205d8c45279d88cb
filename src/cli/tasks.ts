/**
 * What the worker can do, by name. A task is loaded when it runs, so that a worker holds only what it needs. Its
 * arguments and result are plain data; a user's problem leaves it as a `Fault`.
 */
import type { Diagnostic } from '../../dsl/diagnostics/diagnostic.ts';
import type { Progress } from '../report/progress.ts';

/** What a task may tell the supervisor, and what it must listen to. */
export interface TaskContext {
  log(text: string): void;
  warn(text: string): void;
  warnings(diagnostics: Diagnostic[]): void;
  progress(progress: Progress): void;
  /** Names what happens now. `allow`: seconds of silence that are normal in it. */
  phase(phase: string, allow?: number): void;
  event(name: string, data: unknown): void;
  /** Told what the command says while the task runs, from the beginning on; one listener. */
  hear(listener: (data: unknown) => void): void;
  /** Aborted when the user asks to stop: finish the step, save, return. */
  stop: AbortSignal;
}

export type Task<Args = never> = (args: Args, context: TaskContext) => Promise<unknown>;

export const TASKS: Record<string, () => Promise<{ task: Task }>> = {
  train: () => import('./tasks/train.ts'),
  eval: () => import('./tasks/eval.ts'),
  'eval-protocol': () => import('./tasks/eval-protocol.ts'),
  chat: () => import('./tasks/chat.ts'),
  generate: () => import('./tasks/generate.ts'),
  verify: () => import('./tasks/verify.ts'),
  devices: () => import('./tasks/devices.ts'),
  tune: () => import('./tasks/tune.ts'),
  profile: () => import('./tasks/profile.ts'),
  // For tests of the supervisor: crashes, hangs, faults and bugs on demand.
  misbehave: () => import('./tasks/misbehave.ts'),
};
