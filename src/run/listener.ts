/** What a run tells whoever started it, and what it must listen to. */
import type { Progress } from '../report/progress.ts';

export interface Listener {
  log: (text: string) => void;
  warn: (text: string) => void;
  /** `allowSeconds`: silence that is normal from here on. */
  phase: (phase: string, allowSeconds?: number) => void;
  progress: (progress: Progress) => void;
  /** `begun`: from here on the folder holds this run and no other. */
  event?: (name: 'begun', data: unknown) => void;
  /** Aborted when the user asks to stop: finish the step, save, return. */
  stop: AbortSignal;
}

/** First uses compile pipelines: seconds of silence that are normal. */
export const COMPILING = 600;
