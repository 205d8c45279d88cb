/**
 * A limit on how long a step may take, many times what the steps before took: a shader that never ends would otherwise
 * look like a slow one for ever. Counted in ticks, so that a machine that slept is not taken for one that hangs.
 */
import { fault } from '../report/fault.ts';

/** Times the longest step so far. */
const PATIENCE = 20;
/** The supervisor waits this much longer, seconds: it knows less about what hangs. */
const HEAD_START = 60;
const TICK_MS = 250;

export class Watchdog {
  private readonly least: number;
  private readonly where: () => string[];
  private longest = 0;

  /** `least`: seconds every step may take; `where`: lines that say what the GPU is at. */
  constructor(least: number, where: () => string[]) {
    this.least = least;
    this.where = where;
  }

  /** Seconds the next step may take. */
  get limit(): number {
    return Math.max(this.least, PATIENCE * this.longest);
  }

  /** Seconds of silence that are normal between two steps. */
  get allow(): number {
    return Math.ceil(this.limit + HEAD_START);
  }

  seen(seconds: number): void {
    this.longest = Math.max(this.longest, seconds);
  }

  /** `work`, or the fault `gpu-hung` when it takes longer than `seconds`. */
  async guard<T>(work: Promise<T>, what: string, seconds: number): Promise<T> {
    let clock: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      let waited = 0;
      clock = setInterval(() => {
        waited += TICK_MS / 1000;
        if (waited <= seconds) return;
        reject(
          fault('gpu-hung', `${what} did not end within ${Math.round(seconds)} seconds`, {
            notes: this.where(),
          }),
        );
      }, TICK_MS);
    });
    try {
      return await Promise.race([work, late]);
    } finally {
      clearInterval(clock);
      // If the limit won, what becomes of the work is of no interest any more.
      work.catch(() => {});
    }
  }
}
