/** What is added to out[OUT_INDEX]. */
export function reduceSum(x: ArrayLike<number>, lossScale: number): number {
  let sum = 0;
  for (let i = 0; i < x.length; i++) sum += x[i];
  return lossScale * sum;
}
