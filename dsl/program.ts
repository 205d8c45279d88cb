/**
 * The checked program: what a `.mos` file means once every name is resolved, every default filled in and every
 * value validated. This is the only thing the compiler sees of the language. Plain data, JSON-serialisable.
 *
 * Units: fractions are in [0, 1], lengths are tokens, rates are per optimiser step, times are seconds.
 */

import type { SpaceDefinition } from './space.ts';

/** A half-open range of characters in a source file; the compiler copies it into the plan as a dispatch's origin. */
export interface Span {
  /** Path as the user wrote it or as it was resolved relative to the root file. */
  file: string;
  /** 0-based character offsets, `end` exclusive. */
  start: number;
  end: number;
  /** 1-based line and column of `start`. */
  line: number;
  column: number;
}

/** Which experts have one parameter together: those of a module, of a layer, or all. */
export type ShareScope = 'module' | 'layer' | 'all';

/** A scalar geometry parameter: fixed, or learned from `init` within optional bounds with an optional rate of its own. */
export type Parameter =
  | { kind: 'fixed'; value: number }
  | {
      kind: 'learn';
      init: number;
      min?: number;
      max?: number;
      lr?: number;
      /** Weight decay of the stored form. */
      decay?: number;
      /** Experts whose parameter has the same key, within the scope, share it: the key is where it is written. */
      share?: { scope: ShareScope; key: string };
    };

export type { Expression, SpaceDefinition, SpaceParameter, SpaceProfile } from './space.ts';

export type RadialMap = 'stereo' | 'exp';

/** One expert of a mixture. `hyperbolic(c)` is curvature −c, `sphere(c)` is +c, `kappa(k)` is k itself (may change sign). */
export interface Expert {
  /** `euclid`, `hyperbolic`, `sphere`, `kappa`, or the name of one of the program's `spaces`. */
  space: string;
  /** Absent for `euclid` and for declared spaces. */
  map?: RadialMap;
  /** `c` or `k` as written (positive `c`, not its logarithm). Absent for `euclid` and declared spaces. */
  curvature?: Parameter;
  /** Parameters of a declared space by name; absent for built-in ones. */
  parameters?: Record<string, Parameter>;
  /** true: σ is a parameter that starts at √d_in (`scale=learn`); false: σ = √d_in. */
  learnScale: boolean;
  /** Columns of A and rows of B of this expert; the adapter's `rank` unless the expert says otherwise. */
  rank: number;
  origin: Span;
}

export interface Router {
  /** `top` experts are kept per token; `soft` keeps all. */
  kind: 'top' | 'soft';
  /** Number of experts kept (all of them for `soft`). */
  k: number;
  /** What the kept softmax values become: renormalised to sum 1, or as they are. */
  gate: 'renorm' | 'softmax';
  /** Coefficient of the load-balance loss; 0 for `soft`. */
  aux: number;
  /** Coefficient of the router z-loss. */
  z: number;
  /** Standard deviation of the logits' noise in training. */
  noise: number;
  /** What the router reads: the layer's input, or the stacked low-rank z. */
  on: 'input' | 'rank';
}

export interface AdapterBlock {
  /** `adapter math: …`; unnamed adapters have the name `default`. */
  name: string;
  /** Bare words match a module-path suffix, strings are globs over module paths; `all-linear` is every linear layer. */
  targets: { kind: 'suffix' | 'glob' | 'all-linear'; text: string; origin: Span }[];
  /** Inclusive layer ranges; empty means every layer. */
  layers: { first: number; last: number; origin: Span }[];
  rank: number;
  alpha: number;
  rslora: boolean;
  /** Probability of dropping an element of the adapter's input. */
  dropout: number;
  experts: Expert[];
  /** Absent exactly when there is a single expert. */
  router?: Router;
  origin: Span;
}

export interface ModelBlock {
  /** Folder of a Hugging Face checkpoint, as written; resolve against `baseDir`. */
  path: string;
  baseDir: string;
  /** Of the frozen matrices on the GPU; `auto`: as the checkpoint stores them. Arithmetic is always f32. */
  dtype: 'auto' | 'f32' | 'bf16' | 'f16' | 'int8' | 'int4' | 'nf4';
  origin: Span;
}

export type DataFormat = 'auto' | 'alpaca' | 'messages' | 'completion';

export interface DataBlock {
  paths: string[];
  baseDir: string;
  format: DataFormat;
  /** Longest sample in tokens; longer ones are truncated and counted. */
  length: number;
  /** Fraction of samples held out for validation. */
  validation: number;
  /** Where the loss acts. */
  loss: 'response' | 'all';
  origin: Span;
}

export interface TrainBlock {
  steps: number;
  /** Sequences per micro-batch. */
  batch: number;
  /** Micro-batches per optimiser step. */
  accumulate: number;
  lr: number;
  schedule: {
    kind: 'constant' | 'linear' | 'cosine';
    /** Fraction of steps. */
    warmup: number;
    /** Fraction of `lr` at the end. */
    floor: number;
  };
  optimizer: { kind: 'adamw'; beta1: number; beta2: number; eps: number; weightDecay: number };
  /** Optimiser of the geometry parameters: no weight decay. */
  curvature: { kind: 'adam' | 'sgd'; lr: number };
  /** Learning rate of the router; absent: `lr`. */
  routerLr?: number;
  /** Largest global gradient norm; 0 turns clipping off. */
  clip: number;
  seed: number;
  /** Steps between log lines, and between validations (0: at the end only). */
  logEvery: number;
  validateEvery: number;
  /** Validations without a better loss after which training ends (0: never), and steps between checkpoints. */
  patience: number;
  checkpointEvery: number;
  /** `layer`: the backward pass computes each layer again from its input. Absent: `none`. */
  recompute?: 'none' | 'layer';
  origin: Span;
}

export interface EvalBlock {
  name: string;
  paths: string[];
  baseDir: string;
  format: DataFormat;
  metric: 'exact';
  maxTokens: number;
  /** Sequences generated together. */
  batch: number;
  /** First so many items only; absent: all. */
  limit?: number;
  origin: Span;
}

export interface Program {
  /** Root file, as given. */
  file: string;
  model: ModelBlock;
  adapters: AdapterBlock[];
  data?: DataBlock;
  train: TrainBlock;
  evals: EvalBlock[];
  /** Declared spaces that experts name, in the order of first use; absent if there are none. */
  spaces?: SpaceDefinition[];
}
