/** What the linear kernels mean, in float64. Parameters and layouts as in the WGSL files. */
export interface Segments {
  SEG_COLUMN: readonly number[];
  SEG_S: readonly number[];
  SEG_RANK: readonly number[];
  SEG_B: readonly number[];
}

/** Everything the random numbers depend on besides row and column. */
export interface Dropout {
  seed: number;
  step: number;
  micro: number;
  site: number;
  DROPOUT: number;
  KEEP_SCALE: number;
}

/** Rows [start, start + count) of the activations. */
export interface Chunk {
  start: number;
  count: number;
}

type Matrix = ArrayLike<number>;

/** common/random.wgsl: pcg4d on 32-bit words. */
export function pcg4d(counter: readonly number[]): [number, number, number, number] {
  let [x, y, z, w] = counter.map(c => (Math.imul(c, 1664525) + 1013904223) | 0);
  const mix = () => {
    x = (x + Math.imul(y, w)) | 0;
    y = (y + Math.imul(z, x)) | 0;
    z = (z + Math.imul(x, y)) | 0;
    w = (w + Math.imul(y, z)) | 0;
  };
  mix();
  [x, y, z, w] = [x ^ (x >>> 16), y ^ (y >>> 16), z ^ (z >>> 16), w ^ (w >>> 16)];
  mix();
  return [x >>> 0, y >>> 0, z >>> 0, w >>> 0];
}

export function random4(d: Dropout, row: number, column: number): [number, number, number, number] {
  const key = pcg4d([d.seed, d.step, d.micro, d.site]);
  return pcg4d([key[0] ^ row, key[1] ^ column, key[2], key[3]]);
}

/** Factor of element (row, column): 0 when dropped, KEEP_SCALE when kept, 1 without dropout. */
export function mask(d: Dropout | undefined, row: number, column: number): number {
  if (!d || d.DROPOUT === 0) return 1;
  return random4(d, row, Math.floor(column / 4))[column % 4] < d.DROPOUT ? 0 : d.KEEP_SCALE;
}

export interface ForwardReference extends Segments {
  LD_X: number;
  N: number;
  W_ROWS: number;
  LD_Y: number;
  LD_S: number;
  CHUNKED_OUTPUT: boolean;
}

/** Absent inputs are absent terms. `rows` is the number of rows of y. */
export function linearForward(
  p: ForwardReference,
  inputs: { x?: Matrix; w?: Matrix; bias?: Matrix; s?: Matrix; b?: Matrix; residual?: Matrix },
  rows: number,
  chunk: Chunk,
): Float64Array {
  const { x, w, bias, s, b, residual } = inputs;
  const y = new Float64Array(rows * p.LD_Y);
  for (let i = 0; i < chunk.count; i++) {
    const t = chunk.start + i;
    for (let n = 0; n < Math.min(p.N, p.W_ROWS || p.N); n++) {
      let sum = 0;
      if (w) for (let k = 0; k < p.LD_X; k++) sum += x![t * p.LD_X + k] * w[n * p.LD_X + k];
      if (bias) sum += bias[n];
      if (s && b) {
        const m = p.SEG_COLUMN.findLastIndex(column => column <= n);
        const rank = p.SEG_RANK[m];
        const row = p.SEG_B[m] + (n - p.SEG_COLUMN[m]) * rank;
        for (let r = 0; r < rank; r++) sum += s[t * p.LD_S + p.SEG_S[m] + r] * b[row + r];
      }
      if (residual) sum += residual[t * p.LD_Y + n];
      y[(p.CHUNKED_OUTPUT ? i : t) * p.LD_Y + n] = sum;
    }
  }
  return y;
}

export interface InputGradReference {
  N: number;
  LD_DY: number;
  LD_DX: number;
  SZ: number;
  LD_DZ: number;
  RADIALS: number;
  RADIAL_COLUMN: number;
  CHUNKED_INPUT: boolean;
}

export function linearInputGrad(
  p: InputGradReference,
  inputs: { dy?: Matrix; w?: Matrix; dz?: Matrix; a?: Matrix; x?: Matrix; addend?: Matrix },
  rows: number,
  chunk: Chunk,
  dropout?: Dropout,
): Float64Array {
  const { dy, w, dz, a, x, addend } = inputs;
  const dx = new Float64Array(rows * p.LD_DX);
  for (let i = 0; i < chunk.count; i++) {
    const t = chunk.start + i;
    let radial = 0;
    if (dz) for (let c = 0; c < p.RADIALS; c++) radial += dz[t * p.LD_DZ + p.RADIAL_COLUMN + c];
    for (let k = 0; k < p.LD_DX; k++) {
      let sum = 0;
      if (dy && w)
        for (let n = 0; n < p.N; n++) sum += dy[(p.CHUNKED_INPUT ? i : t) * p.LD_DY + n] * w[n * p.LD_DX + k];
      if (dz && a) {
        let low = 0;
        for (let j = 0; j < p.SZ; j++) low += dz[t * p.LD_DZ + j] * a[j * p.LD_DX + k];
        sum += low * mask(dropout, t, k);
      }
      if (x) sum += x[t * p.LD_DX + k] * radial;
      if (addend) sum += addend[t * p.LD_DX + k];
      dx[t * p.LD_DX + k] = sum;
    }
  }
  return dx;
}
