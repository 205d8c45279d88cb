/** Random streams by name, for values that must not depend on the order in which things are made: initial adapters. */
import { hash32 } from '../data/shuffle.ts';

/** 32-bit FNV-1a of a string. */
function hashName(text: string): number {
  let h = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193);
  return h >>> 0;
}

/** A stream of uniform numbers in (0, 1), by index. */
export function uniformStream(seed: number, name: string): (index: number) => number {
  const stream = hashName(name);
  return index => (hash32(seed, stream, 0, index) + 0.5) / 2 ** 32;
}

/** A stream of N(0, 1) numbers, by index (Box and Muller, 1958). */
export function normalStream(seed: number, name: string): (index: number) => number {
  const uniform = uniformStream(seed, name);
  return index =>
    Math.sqrt(-2 * Math.log(uniform(2 * index))) * Math.cos(2 * Math.PI * uniform(2 * index + 1));
}
