/**
 * The shape of a base model as the compiler and the executor see it: dimensions, and the name of every weight.
 * Read from a checkpoint's config.json by `src/model/config.ts`; embedded in the plan.
 */

import type { Storage, Storages } from './storage.ts';

/** One frozen linear layer `y = x·Wᵀ + bias`, W: [out, in]. */
export interface LinearShape {
  /** Module path without `.weight`, e.g. `model.layers.0.self_attn.q_proj`. */
  path: string;
  in: number;
  out: number;
  bias: boolean;
}

export interface LayerShape {
  index: number;
  inputNorm: string;
  postAttentionNorm: string;
  /** Present for Qwen3-like models: RMS norm of every q and k head before RoPE. */
  qNorm?: string;
  kNorm?: string;
  q: LinearShape;
  k: LinearShape;
  v: LinearShape;
  o: LinearShape;
  gate: LinearShape;
  up: LinearShape;
  down: LinearShape;
}

export interface ModelShape {
  /** `model_type` of the checkpoint: llama, qwen2, qwen3. */
  family: string;
  vocabulary: number;
  hidden: number;
  intermediate: number;
  heads: number;
  keyValueHeads: number;
  headSize: number;
  normEpsilon: number;
  /** headSize/2 angular frequencies in radians per position, any RoPE scaling already applied. */
  ropeFrequencies: number[];
  /** Longest context the checkpoint declares. */
  maxPositions: number;
  /** Full tensor names of the embedding table [vocabulary, hidden] and the head; equal when tied. */
  embedding: string;
  head: string;
  finalNorm: string;
  layers: LayerShape[];
  /** How the checkpoint stores its matrices: what `dtype: auto` takes. Absent where only the configuration is known. */
  dtype?: Storage;
  /** Of a checkpoint that was quantised ahead: its matrices are words, laid out as storage.ts says. */
  packed?: Storages;
}
