/** The head: logits for generation, and cross-entropy in chunks of rows that leave the gradient of their input behind. */
import { kernel } from '../../kernels/index.ts';
import {
  align,
  type Draft,
  type Graph,
  matrix,
  type Place,
  perRow,
  type Source,
  type Value,
} from '../graph.ts';
import { tiled } from '../tiles.ts';
import type { TokenTable } from './base.ts';
import { inputGradient, oneSegment } from './linear.ts';

/** The largest logits matrix kept at a time: what default WebGPU limits let one binding hold. */
const CHUNK_BYTES = 128 * 1024 * 1024;

export interface Loss {
  /** Nats per target. */
  loss: Value;
  /** Gradient of the head's input, already multiplied by frame.loss_scale; present when training. */
  gradient?: Value;
}

interface Chunk {
  rowStart: number;
  rowLimit: number;
}

/** Workgroups and numbers of a chunk of rows, or of all. */
const rowsOf = ({ rows }: Value, chunk?: Chunk) =>
  chunk ? { symbol: rows.symbol, minus: chunk.rowStart, limit: chunk.rowLimit } : rows.symbol;

/** y = x·Wᵀ, one dispatch for every piece of W. */
function project(x: Value, y: Value, table: TokenTable, chunk: Chunk | undefined, source: Source): Draft[] {
  return table.pieces.map(({ place, first, rows }, i) => {
    // the last piece writes the padding of y too
    const columns = i + 1 < table.pieces.length ? rows : y.ld - first;
    return {
      params: {
        ROWS_ARE_TARGETS: x.rows.symbol === 'targets',
        LD_X: x.ld,
        N: columns,
        W_ROWS: rows,
        LD_Y: y.ld,
        Y_COLUMN: first,
        Y_WRITTEN: columns,
        LD_S: 4,
        HAS_BASE: true,
        HAS_BIAS: false,
        HAS_RESIDUAL: false,
        CHUNKED_OUTPUT: chunk !== undefined,
        ...oneSegment(columns),
      },
      bindings: { x, w: place, y },
      site: { index: 0, ...chunk },
      ...tiled('linear.forward', columns, rowsOf(x, chunk), { storage: table.storage, most: x.rows.max }),
      flops: { symbol: x.rows.symbol, each: 2 * x.width * rows * share(x, chunk) },
      source,
    };
  });
}

/** dx = dy·W, summed over the pieces of W: each dispatch adds what the one before has left. */
function projectBack(
  x: Value,
  dx: Value,
  dy: Value,
  table: TokenTable,
  chunk: Chunk,
  source: Source,
): Draft[] {
  let sum: Value | undefined;
  return table.pieces.map(({ place, first, rows }, i) => {
    const out = i + 1 < table.pieces.length ? matrix('d head', dx.rows, dx.width, dx.ld) : dx;
    const weight = { storage: table.storage, place, rows, n: rows };
    const draft = inputGradient(x, out, {
      matmul: { kind: 'matmul', dy, weight, source },
      ...(sum ? { addend: sum } : {}),
      column: first,
      chunk,
    });
    sum = out;
    return { ...draft, flops: { ...draft.flops, each: draft.flops.each * share(x, chunk) } };
  });
}

const share = ({ rows }: Value, chunk?: Chunk): number => (chunk ? chunk.rowLimit / rows.max : 1);

/** Mean cross-entropy of x·Wᵀ against `labels`, added to `metrics[index]`. x: one row per target. */
export function crossEntropy(
  graph: Graph,
  x: Value,
  table: TokenTable,
  vocabulary: number,
  places: { labels: Place; metrics: Place; index: number },
  training: boolean,
  source: Source,
  logitsBytes = CHUNK_BYTES,
): Loss {
  const { rows } = x;
  const ld = logitColumns(vocabulary);
  const rowLimit = Math.min(rows.max, Math.max(64, Math.floor(logitsBytes / (4 * ld) / 64) * 64));
  const loss = matrix('loss', rows, 1, 1);
  const gradient = matrix('d head', rows, x.width, x.ld);
  const dispatches = (chunk: Chunk): Draft[] => {
    const logits = matrix('logits', { symbol: rows.symbol, max: rowLimit }, vocabulary, ld);
    const softmax: Draft = {
      spec: kernel('cross_entropy.rows'),
      params: { VOCAB: vocabulary, LD: ld, EMIT_GRADIENT: training },
      bindings: { labels: places.labels, logits, loss },
      site: { index: 0, ...chunk },
      grid: [{ symbol: rows.symbol, multiply: 1, divide: 1, minus: chunk.rowStart, limit: rowLimit }, 1, 1],
      flops: { symbol: rows.symbol, each: 6 * vocabulary * share(x, chunk) },
      source,
    };
    const forward = [...project(x, logits, table, chunk, source), softmax];
    return training ? [...forward, ...projectBack(x, gradient, logits, table, chunk, source)] : forward;
  };
  graph.add({
    kind: 'cross_entropy',
    inputs: [x],
    outputs: [loss],
    trains: false,
    emit: () => {
      const drafts: Draft[] = [];
      for (let rowStart = 0; rowStart < rows.max; rowStart += rowLimit)
        drafts.push(...dispatches({ rowStart, rowLimit }));
      drafts.push({
        spec: kernel('reduce.sum'),
        params: { OUT_INDEX: places.index },
        bindings: { x: loss, out: places.metrics },
        grid: [1, 1, 1],
        flops: { symbol: rows.symbol, each: 1 },
        source,
      });
      return drafts;
    },
  });
  return training ? { loss, gradient } : { loss };
}

/** Logits of every target row into `logits`, and the index of the largest into `next`. */
export function predict(
  graph: Graph,
  x: Value,
  table: TokenTable,
  vocabulary: number,
  places: { logits: Place; next: Place },
  source: Source,
): void {
  const y = matrix('logits', x.rows, vocabulary, logitColumns(vocabulary));
  y.place = places.logits;
  graph.add({
    kind: 'logits',
    inputs: [x],
    outputs: [y],
    trains: false,
    emit: () => project(x, y, table, undefined, source),
  });
  graph.add({
    kind: 'argmax',
    inputs: [y],
    outputs: [],
    trains: false,
    emit: () => [
      {
        spec: kernel('argmax.rows'),
        params: { VOCAB: vocabulary, LD: y.ld },
        bindings: { logits: y, out: places.next },
        grid: [perRow(x.rows), 1, 1],
        flops: { symbol: x.rows.symbol, each: vocabulary },
        source,
      },
    ],
  });
}

/** Columns of the logits matrix for a vocabulary. */
export const logitColumns = (vocabulary: number): number => align(vocabulary, 8);
