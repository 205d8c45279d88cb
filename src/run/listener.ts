/** What a run tells whoever started it, and what it must listen to. */
import type { Progress } from '../report/progress.ts';
import type { SiteTelemetry } from '../runtime/telemetry.ts';

/** An optimiser step that was done. */
export interface StepEvent {
  /** Steps done, of `steps`. */
  step: number;
  steps: number;
  /** Mean cross-entropy, nats per target. */
  loss: number;
  /** Balance loss of the routers. */
  balance: number;
  /** Before clipping; not finite when the step was skipped. */
  gradientNorm: number;
  learningRate: number;
  tokens: number;
  targets: number;
  seconds: number;
  /** What each router did; every `log` steps. */
  routers?: SiteTelemetry[];
}

export interface ValidationEvent {
  step: number;
  /** Mean cross-entropy, nats per target. */
  loss: number;
  samples: number;
}

export interface Listener {
  log: (text: string) => void;
  warn: (text: string) => void;
  /** `allowSeconds`: silence that is normal from here on. */
  phase: (phase: string, allowSeconds?: number) => void;
  progress: (progress: Progress) => void;
  /** `begun`: from here on the folder holds this run and no other. */
  event?: (name: 'begun', data: unknown) => void;
  step?: (event: StepEvent) => void;
  validation?: (event: ValidationEvent) => void;
  /** Aborted when the user asks to stop: finish the step, save, return. */
  stop: AbortSignal;
}

/** First uses compile pipelines: seconds of silence that are normal. */
export const COMPILING = 600;
