/**
 * Randomness that has no state. A draw is a hash of (seed, stream, epoch, counter), so the order of any epoch can be
 * computed at any time, and resuming needs nothing but a position.
 */

/** Draws for different purposes never share numbers. */
export const STREAMS = { order: 1, split: 2 } as const;

/** The finaliser of MurmurHash3 (A. Appleby): every input bit changes about half of the output bits. */
function mix(x: number): number {
  let h = x >>> 0;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

/** 32 random bits from four numbers; `seed` and `counter` may have up to 53 bits. */
export function hash32(seed: number, stream: number, epoch: number, counter: number): number {
  let h = mix(seed);
  h = mix((h ^ Math.floor(seed / 2 ** 32)) + 0x9e3779b9);
  h = mix((h ^ stream) + 0x9e3779b9);
  h = mix((h ^ epoch) + 0x9e3779b9);
  h = mix((h ^ Math.floor(counter / 2 ** 32)) + 0x9e3779b9);
  return mix((h ^ counter) + 0x9e3779b9);
}

/**
 * A permutation of 0 … count−1 (Fisher–Yates). An index is `floor(bits · n / 2³²)`, whose bias, n / 2³², does not matter for
 * data sets.
 */
export function permutation(
  count: number,
  seed: number,
  epoch: number,
  stream: number = STREAMS.order,
): Uint32Array {
  const order = Uint32Array.from({ length: count }, (_, i) => i);
  for (let i = count - 1; i > 0; i--) {
    const j = Math.floor((hash32(seed, stream, epoch, i) / 2 ** 32) * (i + 1));
    const swap = order[i]!;
    order[i] = order[j]!;
    order[j] = swap;
  }
  return order;
}

/**
 * Indices held out and kept, each ascending. `fraction` above 0 holds out at least one sample if there are two, and never
 * the last one left.
 */
export function split(
  count: number,
  fraction: number,
  seed: number,
): { train: number[]; validation: number[] } {
  const wanted = fraction > 0 ? Math.max(1, Math.round(count * fraction)) : 0;
  const held = Math.min(wanted, Math.max(0, count - 1));
  const order = Array.from(permutation(count, seed, 0, STREAMS.split));
  const ascending = (a: number, b: number) => a - b;
  return { validation: order.slice(0, held).sort(ascending), train: order.slice(held).sort(ascending) };
}
