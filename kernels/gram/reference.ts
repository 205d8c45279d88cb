/** G = BᵀB and its gradient. `b` is [rows, ld] row-major; the expert's columns are [column, column + rank). */
export interface GramBlock {
  ld: number;
  column: number;
  rank: number;
  rows: number;
}

/** rank × rank, row-major. */
export function gramForward({ ld, column, rank, rows }: GramBlock, b: ArrayLike<number>): Float64Array {
  const gram = new Float64Array(rank * rank);
  for (let r = 0; r < rows; r++) {
    for (let i = 0; i < rank; i++) {
      for (let j = 0; j < rank; j++) gram[i * rank + j] += b[r * ld + column + i] * b[r * ld + column + j];
    }
  }
  return gram;
}

/** dB = 2·B·C for a symmetric gradient C of G; [rows, rank] row-major, to be added to what else B's gradient holds. */
export function gramBackward(
  { ld, column, rank, rows }: GramBlock,
  b: ArrayLike<number>,
  c: ArrayLike<number>,
): Float64Array {
  const db = new Float64Array(rows * rank);
  for (let r = 0; r < rows; r++) {
    for (let j = 0; j < rank; j++) {
      for (let i = 0; i < rank; i++) db[r * rank + j] += 2 * b[r * ld + column + i] * c[i * rank + j];
    }
  }
  return db;
}
