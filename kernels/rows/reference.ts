/** An index that takes no row. */
export const NOTHING = 0xffffffff;

/** out[i] = x[index[i]], or zeros where index[i] is NOTHING. */
export function rowsGather(p: { LD: number }, index: ArrayLike<number>, x: ArrayLike<number>): Float64Array {
  const out = new Float64Array(index.length * p.LD);
  for (let i = 0; i < index.length; i++) {
    if (index[i] === NOTHING) continue;
    for (let c = 0; c < p.LD; c++) out[i * p.LD + c] = x[index[i] * p.LD + c];
  }
  return out;
}
