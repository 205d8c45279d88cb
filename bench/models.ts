/** Base models of the benchmark, with weights that mean nothing: arithmetic takes the same time whatever they are. */
import { type CompileOptions, compile } from '../compiler/index.ts';
import type { ModelShape } from '../compiler/plan/model.ts';
import type { Plan } from '../compiler/plan/schema.ts';
import { check } from '../dsl/index.ts';
import { parseConfig } from '../src/model/config.ts';
import { uniformStream } from '../src/runtime/random.ts';
import type { TensorSource } from '../src/runtime/upload-weights.ts';

export interface Size {
  hidden: number;
  intermediate: number;
  layers: number;
  heads: number;
  kvHeads: number;
  vocabulary: number;
}

export const QWEN_1_5B: Size = {
  hidden: 1536,
  intermediate: 8960,
  layers: 28,
  heads: 12,
  kvHeads: 2,
  vocabulary: 151_936,
};
/** The same layer once, under a small head: what a processor can do. */
export const ONE_LAYER: Size = { ...QWEN_1_5B, layers: 1, vocabulary: 1024 };
export const SMALL: Size = {
  hidden: 512,
  intermediate: 1408,
  layers: 2,
  heads: 8,
  kvHeads: 2,
  vocabulary: 1024,
};

export function shapeOf({ hidden, intermediate, layers, heads, kvHeads, vocabulary }: Size): ModelShape {
  return parseConfig({
    model_type: 'qwen2',
    hidden_size: hidden,
    intermediate_size: intermediate,
    num_hidden_layers: layers,
    num_attention_heads: heads,
    num_key_value_heads: kvHeads,
    vocab_size: vocabulary,
    rms_norm_eps: 1e-6,
    max_position_embeddings: 8192,
    tie_word_embeddings: true,
    hidden_act: 'silu',
  });
}

/** The same for eager.py and jax-js.js. */
export function peerShape(s: ModelShape) {
  const { vocabulary, hidden, intermediate, heads, keyValueHeads, headSize, normEpsilon, ropeFrequencies } =
    s;
  const layers = s.layers.length;
  return {
    vocabulary,
    hidden,
    intermediate,
    layers,
    heads,
    keyValueHeads,
    headSize,
    normEpsilon,
    ropeFrequencies,
  };
}

export interface Work {
  /** Fields of the adapter; on all linear layers unless it says more. */
  adapter: string;
  target?: string;
  dtype?: string;
  batch: number;
  length: number;
}

export function planOf(shape: ModelShape, work: Work, options: CompileOptions = {}) {
  const { adapter, target = 'all-linear', dtype = 'f32', batch, length } = work;
  const text = `model "m" < dtype: ${dtype} > data "d" < length: ${length} > train < batch: ${batch} >
adapter ${target} < ${adapter} >`;
  const { program, diagnostics } = check('bench.mos', text);
  const { compiled, diagnostics: more } = program ? compile(program, shape, options) : { diagnostics: [] };
  if (!compiled) throw new Error([...diagnostics, ...more].map(d => d.message).join('\n'));
  return compiled;
}

/** Three experts of three geometries, the kept `top`, on maps of one kind. */
export const mixture = (rank: number, map: string, top = 2): string =>
  `rank: ${rank}; experts: hyperbolic(c=learn, map=${map}), sphere(c=learn, map=${map}), euclid; router: top${top}`;
export const lora = (rank: number): string => `rank: ${rank}; experts: euclid`;

/**
 * A frozen base, forward and back to its input: an adapter of rank 4 on one projection of the lowest layer, for which
 * gradients have to travel as far down as for any.
 */
export const frozen = (work: Omit<Work, 'adapter' | 'target'>): Work => ({
  ...work,
  adapter: 'rank: 4; experts: euclid',
  target: 'q_proj layers 0',
});

/** What curved experts and routers alone need; nothing of it would be in an implementation that knows only LoRA. */
const GEOMETRY = /^(gains|gram|routing|radius)\./;

export function withoutGeometry<P extends { plan: Plan }>(compiled: P): P {
  const { plan } = compiled;
  const programs = Object.entries(plan.programs).map(([name, list]) => [
    name,
    list.filter(d => !GEOMETRY.test(plan.kernels[d.variants[0].kernel].name)),
  ]);
  return { ...compiled, plan: { ...plan, programs: Object.fromEntries(programs) } };
}

/** Weights around zero of variance about 1/columns, norms of one. Long tensors repeat the same numbers. */
export function weightsOf(plan: Plan): TensorSource {
  const sizes = new Map<string, [number, number]>();
  for (const { content } of plan.buffers)
    if (content?.kind === 'weights')
      for (const p of content.parts) {
        const rows = (p.from ?? 0) + p.rows;
        sizes.set(p.tensor, [Math.max(rows, sizes.get(p.tensor)?.[0] ?? 0), p.columns]);
      }
  const random = uniformStream(1, 'weights');
  // a prime, so that no two rows are alike
  const noise = Float32Array.from({ length: 1_048_573 }, (_, i) => (random(i) - 0.5) * 3.46);
  return async (name, range) => {
    const [rows, columns] = sizes.get(name)!;
    const values = new Float32Array(range?.count ?? rows * columns);
    if (name.includes('norm')) return values.fill(1);
    for (let at = 0; at < values.length; at += noise.length)
      values.set(noise.subarray(0, Math.min(noise.length, values.length - at)), at);
    const scale = 1 / Math.sqrt(columns);
    return values.map(v => v * scale);
  };
}

/** Sequences of pseudo-random tokens. */
export function tokenRows(batch: number, length: number, vocabulary: number, seed = 0): number[][] {
  const random = uniformStream(seed, 'tokens');
  return Array.from({ length: batch }, (_, row) =>
    Array.from({ length }, (_, i) => Math.floor(random(row * length + i) * vocabulary)),
  );
}
