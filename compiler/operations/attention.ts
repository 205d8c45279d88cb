/** Grouped-query attention and its gradient. */

import { ATTENTION_BLOCK } from '../../kernels/attention/spec.ts';
import { kernel } from '../../kernels/index.ts';
import { type Draft, type Graph, matrix, type Place, perRow, type Source, type Value } from '../graph.ts';
import type { ModelShape } from '../plan/model.ts';
import { QUADS } from '../tiles.ts';

/** Wider heads take many seconds to compile where four neighbours share what they load. */
const WIDEST_SHARED = 128;

export interface Ranges {
  /** `keys[t]` is the half-open range of kv rows that token t sees, `queries` its inverse. */
  keys: Place;
  queries: Place;
  longest: number;
  /** Whether tokens next to each other see much the same rows, which they do not where each is of another sequence. */
  together: boolean;
}

/** o = softmax(SCALE·q·kᵀ) v by head, over the keys that each token sees. */
export function attention(
  graph: Graph,
  q: Value,
  kv: Value,
  ranges: Ranges,
  shape: ModelShape,
  source: Source,
): Value {
  const { heads, keyValueHeads, headSize, attentionScale } = shape;
  const { keys, queries, longest, together } = ranges;
  const { rows } = q;
  const o = matrix('attention', rows, heads * headSize);
  const lse = matrix('lse', rows, heads, heads);
  const params = {
    Q_HEADS: heads,
    KV_HEADS: keyValueHeads,
    HEAD_SIZE: headSize,
    SCALE: attentionScale ?? 1 / Math.sqrt(headSize),
    LD_Q: q.ld,
    LD_KV: kv.ld,
  };
  const shaped = (
    name: string,
    perToken: number,
  ): Pick<Draft, 'spec' | 'params' | 'grid' | 'alternatives'> => ({
    spec: kernel(name),
    params,
    grid: [perRow(rows, perToken, 64), 1, 1],
    alternatives:
      together && headSize <= WIDEST_SHARED
        ? [{ spec: kernel(`${name}_quads`), grid: [perRow(rows, 1, ATTENTION_BLOCK), perToken, 1], ...QUADS }]
        : [],
  });
  // causal: on average half of the longest range is seen
  const flops = (perPair: number) => ({
    symbol: rows.symbol,
    each: perPair * heads * headSize * (longest / 2),
  });
  graph.add({
    kind: 'attention',
    inputs: [q, kv],
    outputs: [o, lse],
    trains: false,
    emit: () => [
      {
        ...shaped('attention.forward', heads),
        bindings: { q, kv, keys, o, lse },
        flops: flops(4),
        source,
      },
    ],
    adjoint: tape => {
      const d_o = tape.gradient(o);
      if (!d_o || !(tape.wants(q) || tape.wants(kv))) return;
      const dq = matrix('d q', rows, q.width, q.ld);
      const dkv = matrix('d kv', rows, kv.width, kv.ld);
      const delta = matrix('delta', rows, heads, heads);
      tape.emit({
        ...shaped('attention.backward_q', heads),
        bindings: { q, kv, keys, d_o, o, lse, dq, delta },
        flops: flops(6),
        source,
      });
      tape.emit({
        ...shaped('attention.backward_kv', keyValueHeads),
        bindings: { q, kv, queries, d_o, lse, delta, dkv },
        flops: flops(8),
        source,
      });
      tape.contribute(q, { kind: 'value', value: dq });
      tape.contribute(kv, { kind: 'value', value: dkv });
    },
  });
  return o;
}
