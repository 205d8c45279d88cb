/** Loss of each row in nats and the gradient of loss_scale·Σ loss with respect to the logits; padding columns zero. */
export function crossEntropyRows(
  p: { VOCAB: number; LD: number },
  labels: ArrayLike<number>,
  logits: ArrayLike<number>,
  lossScale: number,
) {
  const loss = new Float64Array(labels.length);
  const dlogits = new Float64Array(logits.length);
  for (let r = 0; r < labels.length; r++) {
    const row = r * p.LD;
    let highest = Number.NEGATIVE_INFINITY;
    for (let c = 0; c < p.VOCAB; c++) highest = Math.max(highest, logits[row + c]);
    let total = 0;
    for (let c = 0; c < p.VOCAB; c++) total += Math.exp(logits[row + c] - highest);
    loss[r] = Math.log(total) + highest - logits[row + labels[r]];
    for (let c = 0; c < p.VOCAB; c++) {
      const onehot = c === labels[r] ? 1 : 0;
      dlogits[row + c] = (Math.exp(logits[row + c] - highest) / total - onehot) * lossScale;
    }
  }
  return { loss, dlogits };
}
