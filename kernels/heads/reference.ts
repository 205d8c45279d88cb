/**
 * Splitting a fused qkv projection into heads, with an optional RMS norm per head of q and k and rotary positions in the
 * rotate-half convention of HF Llama (arXiv 2104.09864): pair (x[i], x[i + n/2]) turns by position·theta^(−2i/n).
 */
import { rmsnormBackward, rmsnormForward } from '../rmsnorm/reference.ts';

export interface HeadsShape {
  Q_HEADS: number;
  KV_HEADS: number;
  HEAD_SIZE: number;
  LD_QKV: number;
  K_COLUMN: number;
  V_COLUMN: number;
  LD_Q: number;
  LD_KV: number;
  HAS_NORM: boolean;
  EPS: number;
}

/** [context, size]: per position the cosines of half a head, then the sines. */
export function ropeTable(context: number, size: number, theta: number): Float64Array {
  const table = new Float64Array(context * size);
  for (let at = 0; at < context; at++) {
    for (let i = 0; i < size / 2; i++) {
      const angle = at * theta ** ((-2 * i) / size);
      table[at * size + i] = Math.cos(angle);
      table[at * size + size / 2 + i] = Math.sin(angle);
    }
  }
  return table;
}

/** Turns a head by its row of the table; `direction` −1 turns it back. */
function rotate(x: ArrayLike<number>, angles: ArrayLike<number>, direction: 1 | -1): Float64Array {
  const half = x.length / 2;
  const out = new Float64Array(x.length);
  for (let i = 0; i < half; i++) {
    const sine = angles[half + i] * direction;
    out[i] = x[i] * angles[i] - x[half + i] * sine;
    out[half + i] = x[half + i] * angles[i] + x[i] * sine;
  }
  return out;
}

const slice = (x: ArrayLike<number>, start: number, length: number) =>
  Float64Array.from({ length }, (_, i) => x[start + i]);

/** Heads of one token: where each lies in qkv and in q or kv, and which norm it takes (v: none). */
function* headsOf(p: HeadsShape) {
  const n = p.HEAD_SIZE;
  for (let h = 0; h < p.Q_HEADS; h++) yield { kind: 'q', norm: 0, from: h * n, to: h * n } as const;
  for (let h = 0; h < p.KV_HEADS; h++)
    yield { kind: 'k', norm: 1, from: p.K_COLUMN + h * n, to: h * n } as const;
  for (let h = 0; h < p.KV_HEADS; h++) {
    yield { kind: 'v', norm: -1, from: p.V_COLUMN + h * n, to: (p.KV_HEADS + h) * n } as const;
  }
}

/** Rows of `kv` that no token writes stay zero; `rows` is their number when `slot` is given. */
export function headsForward(
  p: HeadsShape,
  qkv: ArrayLike<number>,
  position: ArrayLike<number>,
  rope: ArrayLike<number>,
  norms: ArrayLike<number>,
  slot?: ArrayLike<number>,
  rows = position.length,
) {
  const n = p.HEAD_SIZE;
  const q = new Float64Array(position.length * p.LD_Q);
  const kv = new Float64Array(rows * p.LD_KV);
  for (let t = 0; t < position.length; t++) {
    const angles = slice(rope, position[t] * n, n);
    for (const { kind, norm, from, to } of headsOf(p)) {
      let x: Float64Array = slice(qkv, t * p.LD_QKV + from, n);
      if (kind !== 'v') {
        const shape = { WIDTH: n, LD: n, EPS: p.EPS };
        if (p.HAS_NORM) x = rmsnormForward(shape, x, slice(norms, norm * n, n)).out;
        x = rotate(x, angles, 1);
      }
      if (kind === 'q') q.set(x, t * p.LD_Q + to);
      else kv.set(x, (slot ? slot[t] : t) * p.LD_KV + to);
    }
  }
  return { q, kv };
}

export function headsBackward(
  p: HeadsShape,
  dq: ArrayLike<number>,
  dkv: ArrayLike<number>,
  qkv: ArrayLike<number>,
  position: ArrayLike<number>,
  rope: ArrayLike<number>,
  norms: ArrayLike<number>,
): Float64Array {
  const n = p.HEAD_SIZE;
  const dqkv = new Float64Array(position.length * p.LD_QKV);
  for (let t = 0; t < position.length; t++) {
    const angles = slice(rope, position[t] * n, n);
    for (const { kind, norm, from, to } of headsOf(p)) {
      let g: Float64Array = kind === 'q' ? slice(dq, t * p.LD_Q + to, n) : slice(dkv, t * p.LD_KV + to, n);
      if (kind !== 'v') {
        g = rotate(g, angles, -1);
        const shape = { WIDTH: n, LD: n, EPS: p.EPS };
        if (p.HAS_NORM)
          g = rmsnormBackward(shape, slice(qkv, t * p.LD_QKV + from, n), slice(norms, norm * n, n), g);
      }
      dqkv.set(g, t * p.LD_QKV + from);
    }
  }
  return dqkv;
}
