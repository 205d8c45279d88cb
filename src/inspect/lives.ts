/**
 * Memory over time, read back from a plan: when each scratch buffer holds something that is still needed. A life goes from
 * the first write to the last access before somebody else's write; its size is the largest view taken of it.
 */
import type { Plan } from '../../compiler/plan/schema.ts';

/** One moment of the timeline: a dispatch of a program. */
export interface Moment {
  program: string;
  /** Number of the dispatch within its program. */
  dispatch: number;
  /** Bytes of scratch that hold something a later dispatch reads, or that are being written. */
  live: number;
}

interface Life {
  first: number;
  last: number;
  bytes: number;
}

/** All programs one after another, in the order of the plan: the timeline that the compiler planned memory for. */
export function memoryOverTime({ programs, buffers, kernels }: Plan): Moment[] {
  const moments: Moment[] = [];
  /** Lives of each scratch buffer, the newest last; `read`: the newest has been read. */
  const lives = new Map<number, { all: Life[]; read: boolean }>();
  for (const [program, dispatches] of Object.entries(programs)) {
    for (const [dispatch, { variants, bindings }] of dispatches.entries()) {
      const now = moments.push({ program, dispatch, live: 0 }) - 1;
      const accesses = kernels[variants[0].kernel].bindings;
      for (const [i, { buffer, bytes }] of bindings.entries()) {
        if (buffers[buffer].role !== 'scratch') continue;
        const known = lives.get(buffer) ?? { all: [], read: true };
        lives.set(buffer, known);
        const writes = accesses[i].access === 'write';
        if (known.all.length === 0 || (writes && known.read)) {
          known.all.push({ first: now, last: now, bytes });
        } else {
          const life = known.all.at(-1)!;
          life.last = now;
          life.bytes = Math.max(life.bytes, bytes);
        }
        known.read = !writes;
      }
    }
  }
  for (const { all } of lives.values())
    for (const { first, last, bytes } of all)
      for (let at = first; at <= last; at++) moments[at].live += bytes;
  return moments;
}
