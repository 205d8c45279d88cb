/** What the adapter kernels mean around the mathematics of a token (../gains/reference.ts), in float64. */
import { type Dropout, mask, type Segments } from '../linear/reference.ts';

type Matrix = ArrayLike<number>;

/** z = drop(x)·Aᵀ, [rows, ldZ]. */
export function project(
  p: { LD_X: number; LD_Z: number },
  x: Matrix,
  a: Matrix,
  rows: number,
  dropout?: Dropout,
) {
  const z = new Float64Array(rows * p.LD_Z);
  for (let t = 0; t < rows; t++) {
    const masks = Array.from({ length: p.LD_X }, (_, k) => mask(dropout, t, k));
    for (let n = 0; n < p.LD_Z; n++)
      for (let k = 0; k < p.LD_X; k++) z[t * p.LD_Z + n] += x[t * p.LD_X + k] * masks[k] * a[n * p.LD_X + k];
  }
  return z;
}

/** h = dy·b per module, [rows, ldS]. */
export function outputGrad(
  p: Segments & { LD_DY: number; LD_S: number },
  dy: Matrix,
  b: Matrix,
  rows: number,
): Float64Array {
  const h = new Float64Array(rows * p.LD_S);
  for (let t = 0; t < rows; t++) {
    for (let m = 0; m < p.SEG_S.length; m++) {
      for (let r = 0; r < p.SEG_RANK[m]; r++) {
        let sum = 0;
        for (let n = p.SEG_COLUMN[m]; n < p.SEG_COLUMN[m + 1]; n++) {
          sum += dy[t * p.LD_DY + n] * b[p.SEG_B[m] + (n - p.SEG_COLUMN[m]) * p.SEG_RANK[m] + r];
        }
        h[t * p.LD_S + p.SEG_S[m] + r] = sum;
      }
    }
  }
  return h;
}

/** Gradients of B (a = dy, b = s) and, with one segment, of A (a = dz, b = x): returns out + the outer products; `out` stays as it is. */
export function outer(
  p: Segments & { LD_A: number; LD_B: number },
  a: Matrix,
  b: Matrix,
  out: Matrix,
  rows: number,
  dropout?: Dropout,
): Float64Array {
  const result = Float64Array.from(out);
  for (let t = 0; t < rows; t++) {
    const masks = Array.from({ length: dropout ? p.LD_B : 0 }, (_, j) => mask(dropout, t, j));
    for (let m = 0; m < p.SEG_S.length; m++) {
      const rank = p.SEG_RANK[m];
      for (let i = p.SEG_COLUMN[m]; i < p.SEG_COLUMN[m + 1]; i++) {
        const left = a[t * p.LD_A + i];
        const to = p.SEG_B[m] + (i - p.SEG_COLUMN[m]) * rank;
        for (let j = 0; j < rank; j++) {
          const column = p.SEG_S[m] + j;
          result[to + j] += left * b[t * p.LD_B + column] * (masks[column] ?? 1);
        }
      }
    }
  }
  return result;
}
