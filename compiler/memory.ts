/**
 * Scratch memory by liveness. Every value without a place gets a whole buffer ("slot") for the dispatches between its
 * first write and its last read; values that never live at once share one. Whole buffers, not ranges of one arena,
 * because WebGPU tracks hazards per buffer.
 */
import type { Draft, Value } from './graph.ts';

export interface MemoryPlan {
  slotOf: Map<Value, number>;
  /** Bytes of each slot. */
  slots: number[];
}

export const bytesOf = (value: Value): number => Math.ceil((value.rows.max * value.ld * 4) / 16) * 16;

interface Slot {
  bytes: number;
  /** In the present timeline. */
  lives: Life[];
}

/** Numbers of the first and the last dispatch. */
interface Life {
  first: number;
  last: number;
}

/**
 * Plans timelines of which one runs at a time: the programs of each one after another, so that their values share slots.
 * The first gets the least it needs; those after it take its slots where they fit, and others only for the rest.
 */
export function planMemory(...timelines: Draft[][]): MemoryPlan {
  const slots: Slot[] = [];
  const slotOf = new Map<Value, number>();
  for (const timeline of timelines) {
    for (const slot of slots) slot.lives = [];
    place(timeline, slots, slotOf);
  }
  return { slotOf, slots: slots.map(s => s.bytes) };
}

function place(timeline: Draft[], slots: Slot[], slotOf: Map<Value, number>): void {
  const lives = new Map<Value, Life>();
  timeline.forEach((draft, at) => {
    for (const binding of Object.values(draft.bindings)) {
      if (!binding || 'buffer' in binding || binding.place) continue;
      const life = lives.get(binding);
      if (life) life.last = at;
      else lives.set(binding, { first: at, last: at });
    }
  });
  // largest first: a slot's size is set by its first tenant, and the order of equals is the order of the timeline
  const ordered = [...lives].sort(([a, la], [b, lb]) => bytesOf(b) - bytesOf(a) || la.first - lb.first);
  for (const [value, life] of ordered) {
    const bytes = bytesOf(value);
    const free = slots.filter(
      s => s.bytes >= bytes && s.lives.every(other => other.last < life.first || life.last < other.first),
    );
    // one that this timeline needs anyway, else the tightest
    const slot = free.find(s => s.lives.length > 0) ??
      free.sort((a, b) => a.bytes - b.bytes)[0] ?? { bytes, lives: [] };
    if (!slots.includes(slot)) slots.push(slot);
    slot.lives.push(life);
    slotOf.set(value, slots.indexOf(slot));
  }
}
