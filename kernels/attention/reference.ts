/** Grouped-query attention over ranges of keys, and its gradient by the same formulas as the kernels (arXiv 2205.14135). */
export interface AttentionShape {
  Q_HEADS: number;
  KV_HEADS: number;
  HEAD_SIZE: number;
  SCALE: number;
  LD_Q: number;
  LD_KV: number;
}

type Vector = ArrayLike<number>;

/** Σ a[i]·b[j] over one head. */
function dot(p: AttentionShape, a: Vector, i: number, b: Vector, j: number): number {
  let sum = 0;
  for (let d = 0; d < p.HEAD_SIZE; d++) sum += a[i + d] * b[j + d];
  return sum;
}

function columns(p: AttentionShape, head: number) {
  const k = Math.floor(head / (p.Q_HEADS / p.KV_HEADS)) * p.HEAD_SIZE;
  return { q: head * p.HEAD_SIZE, k, v: k + p.KV_HEADS * p.HEAD_SIZE };
}

/** `keys` holds (first key row, end) per token; a token without keys gets zeros. */
export function attentionForward(p: AttentionShape, q: Vector, kv: Vector, keys: Vector) {
  const tokens = q.length / p.LD_Q;
  const o = new Float64Array(q.length);
  const lse = new Float64Array(tokens * p.Q_HEADS);
  for (let t = 0; t < tokens; t++) {
    const [first, end] = [keys[2 * t], keys[2 * t + 1]];
    if (first >= end) continue;
    for (let h = 0; h < p.Q_HEADS; h++) {
      const at = columns(p, h);
      const scores: number[] = [];
      for (let j = first; j < end; j++)
        scores.push(p.SCALE * dot(p, q, t * p.LD_Q + at.q, kv, j * p.LD_KV + at.k));
      const highest = Math.max(...scores);
      const weights = scores.map(s => Math.exp(s - highest));
      const total = weights.reduce((a, b) => a + b, 0);
      lse[t * p.Q_HEADS + h] = highest + Math.log(total);
      for (let j = first; j < end; j++) {
        for (let d = 0; d < p.HEAD_SIZE; d++) {
          o[t * p.LD_Q + at.q + d] += (weights[j - first] / total) * kv[j * p.LD_KV + at.v + d];
        }
      }
    }
  }
  return { o, lse };
}

export function attentionBackward(p: AttentionShape, q: Vector, kv: Vector, keys: Vector, d_o: Vector) {
  const tokens = q.length / p.LD_Q;
  const { o, lse } = attentionForward(p, q, kv, keys);
  const dq = new Float64Array(q.length);
  const dkv = new Float64Array(kv.length);
  const delta = new Float64Array(lse.length);
  for (let t = 0; t < tokens; t++) {
    for (let h = 0; h < p.Q_HEADS; h++) {
      const at = columns(p, h);
      const row = t * p.LD_Q + at.q;
      const along = dot(p, d_o, row, o, row);
      delta[t * p.Q_HEADS + h] = along;
      for (let j = keys[2 * t]; j < keys[2 * t + 1]; j++) {
        const [k, v] = [j * p.LD_KV + at.k, j * p.LD_KV + at.v];
        const weight = Math.exp(p.SCALE * dot(p, q, row, kv, k) - lse[t * p.Q_HEADS + h]);
        const dscore = weight * (dot(p, d_o, row, kv, v) - along) * p.SCALE;
        for (let d = 0; d < p.HEAD_SIZE; d++) {
          dq[row + d] += dscore * kv[k + d];
          dkv[k + d] += dscore * q[row + d];
          dkv[v + d] += weight * d_o[row + d];
        }
      }
    }
  }
  return { dq, dkv, delta };
}
