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

/** Plans one timeline: the programs of a plan one after another, so that values of different programs share slots. */
export function planMemory(timeline: Draft[]): MemoryPlan {
  const lives = new Map<Value, { first: number; last: number }>();
  timeline.forEach((draft, at) => {
    for (const binding of Object.values(draft.bindings)) {
      if (!binding || 'buffer' in binding || binding.place) continue;
      const life = lives.get(binding);
      if (life) life.last = at;
      else lives.set(binding, { first: at, last: at });
    }
  });
  const slots: { bytes: number; lives: { first: number; last: number }[] }[] = [];
  const slotOf = new Map<Value, number>();
  // largest first: a slot's size is set by its first tenant, and the order of equals is the order of the timeline
  const ordered = [...lives].sort(([a, la], [b, lb]) => bytesOf(b) - bytesOf(a) || la.first - lb.first);
  for (const [value, life] of ordered) {
    let slot = slots.findIndex(s =>
      s.lives.every(other => other.last < life.first || life.last < other.first),
    );
    if (slot < 0) slot = slots.push({ bytes: bytesOf(value), lives: [] }) - 1;
    slots[slot].lives.push(life);
    slotOf.set(value, slot);
  }
  return { slotOf, slots: slots.map(s => s.bytes) };
}
