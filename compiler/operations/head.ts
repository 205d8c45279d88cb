/** The head: logits for generation, and cross-entropy in chunks of rows that leave the gradient of their input behind. */
import { kernel } from '../../kernels/index.ts';
import { align, type Draft, type Graph, matrix, type Place, perRow, type Source, type Value, type Weight } from '../graph.ts';
import { tileGrid } from '../tiles.ts';
import { inputGradient, linear, oneSegment } from './linear.ts';

/** The largest logits matrix kept at a time: what default WebGPU limits let one binding hold. */
const CHUNK_BYTES = 128 * 1024 * 1024;

export interface Loss {
  /** Nats per target. */
  loss: Value;
  /** Gradient of the head's input, already multiplied by frame.loss_scale; present when training. */
  gradient?: Value;
}

/** Mean cross-entropy of x·Wᵀ against `labels`, added to `metrics[index]`. x: one row per target. */
export function crossEntropy(
  graph: Graph, x: Value, weight: Weight, places: { labels: Place; metrics: Place; index: number }, training: boolean, source: Source,
  logitsBytes = CHUNK_BYTES,
): Loss {
  const { rows } = x;
  const ld = weight.n;
  const chunkRows = Math.min(rows.max, Math.max(64, Math.floor(logitsBytes / (4 * ld) / 64) * 64));
  const loss = matrix('loss', rows, 1, 1);
  const gradient = matrix('d head', rows, x.width, x.ld);
  const chunk = (start: number): Draft[] => {
    const logits = matrix('logits', { symbol: rows.symbol, max: chunkRows }, weight.rows, ld);
    const site = { index: 0, rowStart: start, rowLimit: chunkRows };
    const size = { symbol: rows.symbol, minus: start, limit: chunkRows };
    const share = chunkRows / rows.max;
    const forward: Draft = {
      spec: kernel('linear.forward', weight.storage),
      params: {
        ROWS_ARE_TARGETS: true, LD_X: x.ld, N: weight.n, W_ROWS: weight.rows, LD_Y: ld, LD_S: 4, HAS_BASE: true, HAS_BIAS: false,
        HAS_RESIDUAL: false, CHUNKED_OUTPUT: true, ...oneSegment(weight.n), DROPOUT: 0, KEEP_SCALE: 1,
      },
      bindings: { x, w: weight.place!, y: logits }, site, ...tileGrid('linear.forward', weight.n, size, weight.storage),
      flops: { symbol: rows.symbol, each: 2 * x.width * weight.rows * share }, source,
    };
    const softmax: Draft = {
      spec: kernel('cross_entropy.rows'), params: { VOCAB: weight.rows, LD: ld, EMIT_GRADIENT: training },
      bindings: { labels: places.labels, logits, loss }, site, grid: [{ ...size, multiply: 1, divide: 1 }, 1, 1],
      flops: { symbol: rows.symbol, each: 6 * weight.rows * share }, source,
    };
    if (!training) return [forward, softmax];
    const backward = inputGradient(x, gradient, { matmul: { kind: 'matmul', dy: logits, weight, source }, chunk: { rowStart: start, rowLimit: chunkRows } });
    return [forward, softmax, { ...backward, flops: { symbol: rows.symbol, each: backward.flops.each * share } }];
  };
  graph.add({
    kind: 'cross_entropy', inputs: [x], outputs: [loss], trains: false,
    emit: () => {
      const drafts: Draft[] = [];
      for (let start = 0; start < rows.max; start += chunkRows) drafts.push(...chunk(start));
      drafts.push({
        spec: kernel('reduce.sum'), params: { OUT_INDEX: places.index }, bindings: { x: loss, out: places.metrics },
        grid: [1, 1, 1], flops: { symbol: rows.symbol, each: 1 }, source,
      });
      return drafts;
    },
  });
  return training ? { loss, gradient } : { loss };
}

/** Logits of every target row into `logits`, and the index of the largest into `next`. */
export function predict(graph: Graph, x: Value, weight: Weight, places: { logits: Place; next: Place }, source: Source): void {
  const y = linear(graph, x, weight, undefined, undefined, source);
  y.place = places.logits;
  graph.add({
    kind: 'argmax', inputs: [y], outputs: [], trains: false,
    emit: () => [{
      spec: kernel('argmax.rows'), params: { VOCAB: weight.rows, LD: weight.n }, bindings: { logits: y, out: places.next },
      grid: [perRow(x.rows), 1, 1], flops: { symbol: x.rows.symbol, each: weight.rows }, source,
    }],
  });
}

/** Columns of the logits matrix for a vocabulary. */
export const logitColumns = (vocabulary: number): number => align(vocabulary, 8);
