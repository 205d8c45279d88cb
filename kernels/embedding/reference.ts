/** Row lookup: out[t] = table[ids[t]]. */
export function embeddingForward(
  p: { LD: number },
  ids: ArrayLike<number>,
  table: ArrayLike<number>,
): Float64Array {
  const out = new Float64Array(ids.length * p.LD);
  for (let t = 0; t < ids.length; t++) {
    for (let c = 0; c < p.LD; c++) out[t * p.LD + c] = table[ids[t] * p.LD + c];
  }
  return out;
}
