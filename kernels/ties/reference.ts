/** What ties.copy and ties.sum mean. A tie is the place of a shared parameter and those of its copies. */
export interface Tie {
  first: number;
  copies: number[];
}

export function copyTied(ties: readonly Tie[], params: Float32Array): void {
  for (const { first, copies } of ties) for (const at of copies) params[at] = params[first];
}

export function sumTied(ties: readonly Tie[], grads: Float32Array): void {
  for (const { first, copies } of ties) {
    for (const at of copies) {
      grads[first] += grads[at];
      grads[at] = 0;
    }
  }
}

/** The table both kernels read. */
export function tieTable(ties: readonly Tie[]): number[] {
  const starts = [0];
  for (const { copies } of ties) starts.push(starts[starts.length - 1] + copies.length);
  return [...starts, ...ties.map(t => t.first), ...ties.flatMap(t => t.copies)];
}
