/** First index of the largest of VOCAB columns; NaN is never the largest; 0 when nothing is. */
export function argmaxRows(p: { VOCAB: number; LD: number }, logits: ArrayLike<number>): Uint32Array {
  const out = new Uint32Array(logits.length / p.LD);
  for (let r = 0; r < out.length; r++) {
    let highest = Number.NEGATIVE_INFINITY;
    for (let c = 0; c < p.VOCAB; c++) {
      if (logits[r * p.LD + c] > highest) {
        highest = logits[r * p.LD + c];
        out[r] = c;
      }
    }
  }
  return out;
}
