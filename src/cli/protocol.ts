/** What supervisor and worker say to each other, over the process channel. Plain data only. */
import type { Diagnostic } from '../../dsl/diagnostics/diagnostic.ts';
import type { Progress } from '../report/progress.ts';

export type ToWorker =
  | { kind: 'run'; task: string; args: unknown }
  /** Anything a command says to its task while that runs. */
  | { kind: 'say'; data: unknown }
  /** Finish the step, save, end. */
  | { kind: 'stop' };

export type FromWorker =
  /** The worker has loaded and waits for `run`. */
  | { kind: 'ready' }
  | { kind: 'log'; level: 'info' | 'warning'; text: string }
  | { kind: 'progress'; progress: Progress }
  /**
   * A new phase: named when the worker dies in it. `allow`: seconds without a message that are normal from here on;
   * without it the supervisor's own deadline holds.
   */
  | { kind: 'phase'; phase: string; allow?: number }
  /** Anything a command wants to tell its own handler: a text chunk, a metric, a saved checkpoint. */
  | { kind: 'event'; name: string; data: unknown }
  | { kind: 'result'; value: unknown }
  | { kind: 'warnings'; diagnostics: Diagnostic[] }
  | { kind: 'fault'; diagnostics: Diagnostic[] }
  | { kind: 'bug'; message: string; stack?: string }
  /** The task returned; nothing follows. */
  | { kind: 'done' };
