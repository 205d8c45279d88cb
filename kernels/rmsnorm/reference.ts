/** RMS norm per row (arXiv 1910.07467, eq. 4) and its gradient with respect to x; the weight is frozen. */
export interface RmsnormShape {
  WIDTH: number;
  LD: number;
  EPS: number;
}

export function rmsnormForward(
  p: RmsnormShape,
  x: ArrayLike<number>,
  weight: ArrayLike<number>,
  residual?: ArrayLike<number>,
) {
  const rows = x.length / p.LD;
  const out = new Float64Array(x.length);
  const inv_rms = new Float64Array(rows);
  for (let r = 0; r < rows; r++) {
    let squares = 0;
    for (let c = 0; c < p.WIDTH; c++) squares += x[r * p.LD + c] ** 2;
    inv_rms[r] = 1 / Math.sqrt(squares / p.WIDTH + p.EPS);
    for (let c = 0; c < p.WIDTH; c++) {
      out[r * p.LD + c] = x[r * p.LD + c] * inv_rms[r] * weight[c] + (residual ? residual[r * p.LD + c] : 0);
    }
  }
  return { out, inv_rms };
}

export function rmsnormBackward(
  p: RmsnormShape,
  x: ArrayLike<number>,
  weight: ArrayLike<number>,
  dy: ArrayLike<number>,
  addend?: ArrayLike<number>,
): Float64Array {
  const { inv_rms } = rmsnormForward(p, x, weight);
  const dx = new Float64Array(x.length);
  for (let r = 0; r < inv_rms.length; r++) {
    const row = r * p.LD;
    let along = 0;
    for (let c = 0; c < p.WIDTH; c++) along += x[row + c] * weight[c] * dy[row + c];
    for (let c = 0; c < p.WIDTH; c++) {
      const pull = (x[row + c] * inv_rms[r] ** 2 * along) / p.WIDTH;
      dx[row + c] = inv_rms[r] * (weight[c] * dy[row + c] - pull) + (addend ? addend[row + c] : 0);
    }
  }
  return dx;
}
