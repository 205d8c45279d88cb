/** Operations of the frozen base model that are not linear layers: builders that append to a graph. */
import { kernel } from '../../kernels/index.ts';
import { RMSNORM_ROWS } from '../../kernels/rmsnorm/spec.ts';
import {
  type Draft,
  type Graph,
  matrix,
  type Place,
  perRow,
  type Rows,
  type Source,
  type Value,
} from '../graph.ts';
import type { ModelShape } from '../plan/model.ts';
import type { Storage } from '../plan/storage.ts';

const perVec4 = (ld: number): number => Math.ceil(ld / 4 / 64);
const onTargets = (rows: Rows): boolean => rows.symbol === 'targets';

/** A frozen matrix with a row for every token, cut by rows into pieces that a device can bind; most have one. */
export interface TokenTable {
  storage: Storage;
  /** Rows of every piece but the last are multiples of 8. */
  pieces: { place: Place; first: number; rows: number }[];
}

/** out[t] = scale·table[ids[t]], table: [vocabulary, ld]. */
export function embedding(
  graph: Graph,
  ids: Place,
  table: TokenTable,
  rows: Rows,
  { hidden, embeddingScale }: Pick<ModelShape, 'hidden' | 'embeddingScale'>,
  source: Source,
): Value {
  const out = matrix('embedding', rows, hidden);
  graph.add({
    kind: 'embedding',
    inputs: [],
    outputs: [out],
    trains: false,
    emit: () =>
      table.pieces.map(
        ({ place, first, rows: held }): Draft => ({
          spec: kernel('embedding.forward', table.storage),
          params: {
            LD: out.ld,
            ...(embeddingScale === undefined ? {} : { SCALE: embeddingScale }),
            ...(table.pieces.length > 1 ? { FIRST: first, ROWS: held } : {}),
          },
          bindings: { ids, w: place, out },
          grid: [perVec4(out.ld), perRow(rows), 1],
          flops: { each: 0 },
          source,
        }),
      ),
  });
  return out;
}

/** out[i] = x[index[i]]; its adjoint is the same kernel over `inverse`, which is 0xffffffff where nothing points. */
export function gatherRows(
  graph: Graph,
  x: Value,
  index: Place,
  inverse: Place,
  rows: Rows,
  source: Source,
): Value {
  const out = matrix('gathered', rows, x.width, x.ld);
  const draft = (from: Value, by: Place, to: Value) => ({
    spec: kernel('rows.gather'),
    params: { LD: x.ld, ROWS_ARE_TARGETS: onTargets(to.rows) },
    bindings: { index: by, x: from, out: to },
    grid: [perVec4(x.ld), perRow(to.rows), 1] as [number, ReturnType<typeof perRow>, number],
    flops: { each: 0 },
    source,
  });
  graph.add({
    kind: 'gather',
    inputs: [x],
    outputs: [out],
    trains: false,
    emit: () => [draft(x, index, out)],
    adjoint: tape => {
      const dy = tape.gradient(out);
      if (!dy || !tape.wants(x)) return;
      const dx = matrix('d gathered', x.rows, x.width, x.ld);
      tape.emit(draft(dy, inverse, dx));
      tape.contribute(x, { kind: 'value', value: dx });
    },
  });
  return out;
}

/** y = x / √(mean x² + ε) ∘ weight. */
export function rmsNorm(
  graph: Graph,
  x: Value,
  weight: Place,
  epsilon: number,
  source: Source,
  residual?: Value,
): Value {
  const { rows, width, ld } = x;
  const y = matrix('norm', rows, width, ld);
  const inverse = matrix('1/rms', rows, 1, 1);
  const params = { WIDTH: width, LD: ld, ROWS_ARE_TARGETS: onTargets(rows) };
  const shapes = (name: string): Pick<Draft, 'spec' | 'grid' | 'alternatives'> => ({
    spec: kernel(name),
    grid: [perRow(rows, 1, RMSNORM_ROWS.alone), 1, 1],
    alternatives: [{ spec: kernel(`${name}_shared`), grid: [perRow(rows, 1, RMSNORM_ROWS.shared), 1, 1] }],
  });
  graph.add({
    kind: 'rmsnorm',
    inputs: residual ? [x, residual] : [x],
    outputs: [y, inverse],
    trains: false,
    emit: () => [
      {
        ...shapes('rmsnorm.forward'),
        params: { ...params, EPS: epsilon, HAS_RESIDUAL: residual !== undefined },
        bindings: { x, weight, residual, out: y, inv_rms: inverse },
        flops: { symbol: rows.symbol, each: 6 * width },
        source,
      },
    ],
    adjoint: tape => {
      const dy = tape.gradient(y);
      if (!dy) return;
      if (residual && tape.wants(residual)) tape.contribute(residual, { kind: 'value', value: dy });
      if (!tape.wants(x)) return;
      tape.contribute(x, {
        kind: 'kernel',
        build: (out, addend) => ({
          ...shapes('rmsnorm.backward'),
          params: { ...params, HAS_ADDEND: addend !== undefined },
          bindings: { x, weight, inv_rms: inverse, dy, addend, dx: out },
          flops: { symbol: rows.symbol, each: 10 * width },
          source,
        }),
      });
    },
  });
  return y;
}

export interface HeadsInput {
  qkv: Value;
  columns: { k: number; v: number };
  position: Place;
  rope: Place;
  /** [2, headSize]: weights of the q and k norms; absent for models without. */
  norms: Place | undefined;
  /** Generation: rows of the cache that receive k and v, and the cache itself. */
  cache: { slot: Place; kv: Place } | undefined;
}

/** Splits a stacked qkv into q and kv, norms each head where the model does, rotates q and k. */
export function splitHeads(
  graph: Graph,
  input: HeadsInput,
  shape: ModelShape,
  source: Source,
): { q: Value; kv: Value } {
  const { qkv, columns, position, rope, norms, cache } = input;
  const { heads, keyValueHeads, headSize } = shape;
  const { rows } = qkv;
  const q = matrix('q', rows, heads * headSize);
  const kv = matrix('kv', rows, 2 * keyValueHeads * headSize);
  if (cache) kv.place = cache.kv;
  const params = {
    Q_HEADS: heads,
    KV_HEADS: keyValueHeads,
    HEAD_SIZE: headSize,
    LD_QKV: qkv.ld,
    K_COLUMN: columns.k,
    V_COLUMN: columns.v,
    LD_Q: q.ld,
    LD_KV: kv.ld,
    HAS_NORM: norms !== undefined,
    EPS: shape.normEpsilon,
  };
  const flops = { symbol: rows.symbol, each: 6 * (heads + keyValueHeads) * headSize };
  const grid: [ReturnType<typeof perRow>, number, number] = [
    perRow(rows, heads + 2 * keyValueHeads, 64),
    1,
    1,
  ];
  graph.add({
    kind: 'heads',
    inputs: [qkv],
    outputs: [q, kv],
    trains: false,
    emit: () => [
      {
        spec: kernel('heads.forward'),
        params: { ...params, USE_SLOT: cache !== undefined },
        bindings: { qkv, position, rope, norms, slot: cache?.slot, q, kv },
        grid,
        flops,
        source,
      },
    ],
    adjoint: tape => {
      const dq = tape.gradient(q);
      const dkv = tape.gradient(kv);
      if (!dq || !dkv || !tape.wants(qkv)) return;
      const dqkv = matrix('d qkv', rows, qkv.width, qkv.ld);
      tape.emit({
        spec: kernel('heads.backward'),
        params,
        bindings: { dq, dkv, qkv, position, rope, norms, dqkv },
        grid,
        flops,
        source,
      });
      tape.contribute(qkv, { kind: 'value', value: dqkv });
    },
  });
  return { q, kv };
}

/** act(gate)·up from the stacked gate and up; up starts at `upColumn`. */
export function swiglu(
  graph: Graph,
  gateUp: Value,
  upColumn: number,
  width: number,
  source: Source,
  activation: ModelShape['activation'] = 'silu',
): Value {
  const { rows } = gateUp;
  const out = matrix('swiglu', rows, width);
  const GELU = activation === 'gelu_tanh';
  const params = { WIDTH: width, LD_IN: gateUp.ld, UP_COLUMN: upColumn, LD_OUT: out.ld, GELU };
  graph.add({
    kind: 'swiglu',
    inputs: [gateUp],
    outputs: [out],
    trains: false,
    emit: () => [
      {
        spec: kernel('swiglu.forward'),
        params,
        bindings: { gate_up: gateUp, out },
        grid: [perVec4(out.ld), perRow(rows), 1],
        flops: { symbol: rows.symbol, each: 5 * width },
        source,
      },
    ],
    adjoint: tape => {
      const dy = tape.gradient(out);
      if (!dy || !tape.wants(gateUp)) return;
      const d = matrix('d gate up', rows, gateUp.width, gateUp.ld);
      tape.emit({
        spec: kernel('swiglu.backward'),
        params,
        bindings: { gate_up: gateUp, dy, dgate_up: d },
        grid: [perVec4(gateUp.ld), perRow(rows), 1],
        flops: { symbol: rows.symbol, each: 12 * width },
        source,
      });
      tape.contribute(gateUp, { kind: 'value', value: d });
    },
  });
  return out;
}
