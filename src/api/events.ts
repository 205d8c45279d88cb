/** What long work tells whoever started it. */

import type { Progress } from '../report/progress.ts';
import type { Listener } from '../run/listener.ts';

export type { StepEvent, ValidationEvent } from '../run/listener.ts';

export type RunEvent =
  /** What happens now: `loading weights`, `training`. */
  | { type: 'phase'; phase: string }
  | { type: 'log'; text: string }
  | { type: 'warning'; text: string }
  | ({ type: 'progress' } & Progress);

export interface Watching {
  /** Cancels: training saves and returns, generation gives what there is, everything else rejects with its reason. */
  signal?: AbortSignal | undefined;
  onEvent?: ((event: RunEvent) => void) | undefined;
}

export function listenerOf({ signal, onEvent }: Watching): Listener {
  return {
    log: text => onEvent?.({ type: 'log', text }),
    warn: text => onEvent?.({ type: 'warning', text }),
    phase: phase => onEvent?.({ type: 'phase', phase }),
    progress: progress => onEvent?.({ type: 'progress', ...progress }),
    stop: signal ?? new AbortController().signal,
  };
}
