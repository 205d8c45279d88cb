/**
 * Frozen linear layers with their low-rank updates, in the rank-space form of MoSLoRA (arXiv 2602.14490):
 * y = x·Wᵀ + bias + s·Bᵀ, s = w_e·z_e from operations/adapter.ts. What adds up in the gradient of x is one kernel
 * (`inputGradient`).
 */
import type { ParamValue } from '../../kernels/spec.ts';
import {
  type Draft,
  type Graph,
  matrix,
  type Place,
  type Source,
  type Term,
  type Value,
  type Weight,
} from '../graph.ts';
import type { StackedModule } from '../site.ts';
import { tiled } from '../tiles.ts';

/** Columns of y and s that belong to each module, as the kernels want them; s begins at column `first`. */
export function segments(modules: StackedModule[], first = 0): Record<string, ParamValue> {
  const last = modules.at(-1)!;
  return {
    SEGMENTS: modules.length,
    SEG_COLUMN: [...modules.map(m => m.column), last.column + last.columns],
    SEG_S: modules.map(m => first + m.sColumn),
    SEG_RANK: modules.map(m => m.rank),
    SEG_B: modules.map(m => m.b),
  };
}

/** All columns are one segment: without an adapter (rank 0), or one matrix of `rank` columns. */
export const oneSegment = (columns: number, rank = 0): Record<string, ParamValue> => ({
  SEGMENTS: 1,
  SEG_COLUMN: [0, columns],
  SEG_S: [0],
  SEG_RANK: [rank],
  SEG_B: [0],
});

/** Dropout as the kernels want it: a threshold on 32 random bits, and what kept elements are multiplied by. */
export function dropout(p: number): Record<string, ParamValue> {
  return { DROPOUT: Math.round(p * 2 ** 32), KEEP_SCALE: 1 / (1 - p) };
}

export interface LowRank {
  /** What `adapt` returns, and where s begins in it. */
  inner: Value;
  sColumn: number;
  modules: StackedModule[];
  b: Place;
}

/** y = x·Wᵀ + bias + s·Bᵀ + residual. */
export function linear(
  graph: Graph,
  x: Value,
  weight: Weight,
  lowRank: LowRank | undefined,
  residual: Value | undefined,
  source: Source,
): Value {
  const { rows } = x;
  const y = matrix('linear', rows, weight.n, weight.n);
  const rank = lowRank ? lowRank.modules.reduce((sum, m) => sum + m.rank * m.columns, 0) : 0;
  const seg = lowRank ? segments(lowRank.modules, lowRank.sColumn) : oneSegment(weight.n);
  graph.add({
    kind: 'linear',
    inputs: [x, ...(lowRank ? [lowRank.inner] : []), ...(residual ? [residual] : [])],
    outputs: [y],
    trains: lowRank !== undefined,
    emit: () => [
      {
        params: {
          ROWS_ARE_TARGETS: rows.symbol === 'targets',
          LD_X: x.ld,
          N: weight.n,
          W_ROWS: weight.rows,
          LD_Y: y.ld,
          LD_S: lowRank?.inner.ld ?? 4,
          HAS_BASE: weight.place !== undefined,
          HAS_BIAS: weight.bias !== undefined,
          HAS_RESIDUAL: residual !== undefined,
          CHUNKED_OUTPUT: false,
          ...seg,
        },
        bindings: { x, y, w: weight.place, bias: weight.bias, s: lowRank?.inner, b: lowRank?.b, residual },
        site: { index: 0 },
        ...tiled('linear.forward', weight.n, rows.symbol, { storage: weight.storage, most: rows.max }),
        flops: { symbol: rows.symbol, each: (weight.place ? 2 * x.width * weight.n : 0) + 2 * rank },
        source,
      },
    ],
    adjoint: tape => {
      const dy = tape.gradient(y);
      if (!dy) return;
      if (lowRank) tape.contribute(lowRank.inner, { kind: 'output', dy });
      if (weight.place && tape.wants(x)) tape.contribute(x, { kind: 'matmul', dy, weight, source });
      if (residual && tape.wants(residual)) tape.contribute(residual, { kind: 'value', value: dy });
    },
  });
  return y;
}

type TermOf<K extends Term['kind']> = Extract<Term, { kind: K }>;

export interface InputGradientParts {
  matmul?: TermOf<'matmul'>;
  lowrank?: TermOf<'lowrank'>;
  /** Reads its coefficients from the same dz as `lowrank`. */
  radial?: TermOf<'radial'>;
  addend?: Value;
  /** First column of dy that belongs to the weight. */
  column?: number;
  /** Cross-entropy chunks: dy holds only rows [start, start + limit). */
  chunk?: { rowStart: number; rowLimit: number };
}

/** dx = dy·W + mask∘(dz·A) + x·Σ radial + addend, in one dispatch. */
export function inputGradient(x: Value, out: Value, parts: InputGradientParts): Draft {
  const { matmul, lowrank, radial, addend, column = 0, chunk } = parts;
  const dz = lowrank?.dz ?? radial?.dz;
  const projection = lowrank?.projection;
  const weight = matmul?.weight;
  const size = chunk
    ? { symbol: x.rows.symbol, minus: chunk.rowStart, limit: chunk.rowLimit }
    : x.rows.symbol;
  return {
    params: {
      ROWS_ARE_TARGETS: x.rows.symbol === 'targets',
      N: weight?.rows ?? 4,
      LD_DY: matmul?.dy.ld ?? 4,
      DY_COLUMN: column,
      LD_DX: out.ld,
      SZ: projection?.columns ?? 4,
      LD_DZ: dz?.ld ?? 4,
      RADIALS: radial?.count ?? 0,
      RADIAL_COLUMN: radial?.column ?? 0,
      HAS_BASE: matmul !== undefined,
      HAS_LOWRANK: lowrank !== undefined,
      HAS_ADDEND: addend !== undefined,
      CHUNKED_INPUT: chunk !== undefined,
      ...dropout(projection?.dropout ?? 0),
    },
    bindings: { dx: out, dy: matmul?.dy, w: weight?.place, dz, a: projection?.place, x: radial && x, addend },
    site: { index: projection?.site ?? 0, ...chunk },
    ...tiled('linear.input_grad', out.ld, size, {
      storage: weight?.storage ?? 'f32',
      // a mask of the low-rank part alone has no place among sums that have no elements
      f16: !projection?.dropout,
    }),
    flops: { symbol: x.rows.symbol, each: 2 * x.width * ((weight?.rows ?? 0) + (projection?.columns ?? 0)) },
    source: (matmul ?? lowrank)!.source,
  };
}
