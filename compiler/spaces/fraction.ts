/**
 * In which order a product is computed, in WGSL and where float32 is imitated: factors above and below the fraction line in
 * turn, those that depend on the radius first, so that no partial product strays far from the whole. A slope comes from its
 * helper times 1 + |argument|, which divides.
 */
import { type Node, type Power, variablesOf } from './algebra.ts';
import { SLOPES } from './primitives.ts';

export type Factor =
  | { kind: 'whole'; node: Node }
  /** The square of the radius, a number of its own. */
  | { kind: 'square'; node: Node }
  | { kind: 'part'; node: Node; exponent: number }
  | { kind: 'slope'; node: Node & { op: 'call' } }
  /** 1 + |node| */
  | { kind: 'spread'; node: Node };

export function fraction(powers: readonly Power[], radius: string): { above: Factor[]; below: Factor[] } {
  const above: Factor[] = [];
  const below: Factor[] = [];
  const depends = ({ base }: Power) => (variablesOf(base).has(radius) ? 0 : 1);
  for (const { base, exponent } of powers.toSorted((a, b) => depends(a) - depends(b))) {
    const side = exponent > 0 ? above : below;
    if (base.op === 'call' && SLOPES.has(base.name) && exponent === 1) {
      above.push({ kind: 'slope', node: base });
      below.unshift({ kind: 'spread', node: base.arg });
      continue;
    }
    const size = Math.abs(exponent);
    let left = Math.floor(size);
    const square = base.op === 'var' && base.name === radius && exponent > 0;
    for (; square && left >= 2; left -= 2) side.push({ kind: 'square', node: base });
    for (; left > 0; left--) side.push({ kind: 'whole', node: base });
    if (size % 1 !== 0) side.push({ kind: 'part', node: base, exponent: size % 1 });
  }
  return { above, below };
}
