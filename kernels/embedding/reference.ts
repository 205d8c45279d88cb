/** Row lookup: out[t] = SCALE·table[ids[t]]. */
export function embeddingForward(
  p: { LD: number; SCALE?: number },
  ids: ArrayLike<number>,
  table: ArrayLike<number>,
): Float64Array {
  const out = new Float64Array(ids.length * p.LD);
  for (let t = 0; t < ids.length; t++) {
    for (let c = 0; c < p.LD; c++) out[t * p.LD + c] = (p.SCALE ?? 1) * table[ids[t] * p.LD + c];
  }
  return out;
}
