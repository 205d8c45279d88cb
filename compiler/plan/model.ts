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
  /** Gemma: norms of what attention and MLP give, before it is added to the residual stream. */
  attentionOutNorm?: string;
  mlpOutNorm?: string;
  /** Frequencies of this layer, where they are not those of the model. */
  ropeFrequencies?: number[];
  q: LinearShape;
  k: LinearShape;
  v: LinearShape;
  o: LinearShape;
  gate: LinearShape;
  up: LinearShape;
  down: LinearShape;
}

export interface ModelShape {
  /** `model_type` of the checkpoint: llama, qwen2, qwen3, gemma3_text. */
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
  /** Of the gate; absent: SiLU. */
  activation?: 'silu' | 'gelu_tanh';
  /** What embeddings are multiplied by; absent: 1. */
  embeddingScale?: number;
  /** What q·k is multiplied by; absent: 1/√headSize. */
  attentionScale?: number;
  /** Added to the weights of norms as they are stored; absent: 0. */
  normOffset?: number;
  /** Longest context the checkpoint declares, or the window of its layers if that is shorter. */
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
