/**
 * The plan: everything needed to train and run one program on any WebGPU device, as data. Written by the compiler,
 * read by the executor, which knows nothing else. The rules by which the format may change are in docs/plan.md.
 *
 * Units: offsets and sizes of views are bytes, offsets inside parameter tables are floats (4 bytes), spans are
 * 1-based lines and columns. Matrices are row-major f32 with a leading dimension that is a multiple of 4 floats.
 */
import { z } from 'zod';
import { STORAGES } from './storage.ts';
import { PLAN_FORMAT } from './version.ts';

/** Marks objects that may get more fields in a minor version, all of which a reader may ignore. */
const GROWS = { additions: 'ignored' };

const count = z
  .int()
  .min(0)
  .max(2 ** 48);
const positive = z
  .int()
  .min(1)
  .max(2 ** 48);
const word = z.int().min(0).max(0xffffffff);
const name = z.string().min(1).max(512);

/** A size known only at run time. Actual values are set per batch and never exceed the declared maximum. */
export const symbolSchema = z.enum(['tokens', 'targets', 'rows']);

/** `ceil(multiply · min(max(symbol − minus, 0), limit) / divide)`, or a plain integer. */
export const sizeSchema = z.union([
  count,
  z.strictObject({
    symbol: symbolSchema,
    multiply: positive,
    divide: positive,
    minus: count.optional(),
    limit: positive.optional(),
  }),
]);

/** Where a dispatch comes from: a place in the `.mos` text and the module it serves. */
export const originSchema = z
  .strictObject({
    file: z.string().max(4096),
    line: count,
    column: count,
    module: z.string().max(512),
  })
  .meta(GROWS);

/** How the bytes of a buffer come to be. Exactly one per role that has content before the first dispatch. */
export const contentSchema = z.discriminatedUnion('kind', [
  /**
   * Tensors of the checkpoint, row by row: row r of `tensor` is element `offset + r·ld` and up of a matrix that is stored
   * as storage.ts says. Other storages than f32 want whole rows of one matrix: one `ld`, and offsets that it divides.
   */
  z.strictObject({
    kind: z.literal('weights'),
    storage: z.enum(STORAGES),
    parts: z
      .array(
        z.strictObject({
          tensor: name,
          offset: count,
          rows: positive,
          columns: positive,
          ld: positive,
          /** First row of the tensor that is taken, when it is not whole: `rows` of them from here. */
          from: count.optional(),
        }),
      )
      .min(1),
  }),
  z.strictObject({ kind: z.literal('words'), values: z.array(word) }),
  /** One word per 16 floats of the parameter buffer: its optimiser group, from `groupRuns`. */
  z.strictObject({ kind: z.literal('groups') }),
  /** Row p: cos(p·f_i) for every frequency, then sin(p·f_i), computed in f64. */
  z.strictObject({ kind: z.literal('rope'), frequencies: z.array(z.number().finite()), positions: positive }),
]);

export const bufferSchema = z
  .strictObject({
    name,
    /**
     * weight, constant: filled once from `content`. parameter, gradient, moment: the trained state. input: written by
     * the host per batch. frame: the uniform of kernels/common/frame.wgsl. scratch: reused by liveness. state: survives
     * between programs (caches, Gram matrices, routing records). output: read back by the host.
     */
    role: z.enum([
      'weight',
      'constant',
      'parameter',
      'gradient',
      'moment',
      'input',
      'frame',
      'scratch',
      'state',
      'output',
    ]),
    bytes: positive,
    content: contentSchema.optional(),
  })
  .meta(GROWS);

export const viewSchema = z.strictObject({ buffer: count, offset: count, bytes: positive });

export const bindingSchema = z.strictObject({
  name,
  access: z.enum(['uniform', 'read', 'write', 'read_write']),
});

export const kernelSchema = z
  .strictObject({
    /** `linear.forward`, as in kernels/README.md. */
    name,
    /** Path of the WGSL file inside the plan folder; its base name is the hash. */
    file: z.string().regex(/^kernels\/[a-z0-9_.-]+\.wgsl$/),
    sha256: z.string().regex(/^[0-9a-f]{64}$/),
    entry: z.literal('main'),
    bindings: z.array(bindingSchema).min(1).max(16),
  })
  .meta(GROWS);

/** One way to run a dispatch. The first variant of every dispatch runs on default WebGPU limits in f32. */
export const variantSchema = z.strictObject({
  kernel: count,
  grid: z.tuple([sizeSchema, sizeSchema, sizeSchema]),
  /** Chosen automatically only on hardware adapters. */
  hardware: z.boolean().optional(),
  /** What the device must offer: features, limits beyond WebGPU's defaults, subgroups of exactly one size, */
  features: z.array(z.string().max(64)).optional(),
  limits: z.record(z.string(), positive).optional(),
  subgroupSize: positive.optional(),
  /** and subgroup matrices of f16 whose products add up in f32: M, N, K. Such a variant rounds what it multiplies to f16. */
  subgroupMatrix: z.tuple([positive, positive, positive]).optional(),
});

export const dispatchSchema = z.strictObject({
  /** Variants that an older reader does not understand are dropped; the first it always does. */
  variants: z.array(variantSchema).min(1).meta({ additions: 'dropped' }),
  bindings: z.array(viewSchema).min(1),
  origin: count,
  /** Floating-point operations: `each` per unit of `symbol` (plain total when absent). */
  flops: z.strictObject({ symbol: symbolSchema.optional(), each: z.number().min(0) }),
});

export const groupSchema = z.strictObject({
  name,
  kind: z.enum(['frozen', 'adamw', 'sgd']),
  lr: z.number().min(0),
  weightDecay: z.number().min(0),
  beta1: z.number().min(0).lt(1),
  beta2: z.number().min(0).lt(1),
  eps: z.number().min(0),
  /** Clamp of the stored value after each step. */
  min: z.number().finite().nullable(),
  max: z.number().finite().nullable(),
});

export const parameterSchema = z
  .strictObject({
    /** Name in adapter files, e.g. `model.layers.0.self_attn.q_proj.experts.0.A`. */
    name,
    /** curvature: the parameter of a built-in space; parameter: one of a declared space. */
    kind: z.enum(['A', 'B', 'router', 'curvature', 'parameter', 'scale']),
    adapter: name,
    module: name,
    expert: count.optional(),
    /** First float in the parameter buffer, shape, and floats between rows. */
    offset: count,
    rows: positive,
    columns: positive,
    ld: positive,
    group: count,
    init: z.discriminatedUnion('kind', [
      z.strictObject({ kind: z.literal('uniform'), bound: z.number().positive() }),
      z.strictObject({ kind: z.literal('normal'), std: z.number().positive() }),
      z.strictObject({ kind: z.literal('constant'), value: z.number().finite() }),
    ]),
  })
  .meta(GROWS);

/** One adapted module: where its telemetry lies and how to read it. Stats blocks are 64 floats, in this order. */
export const siteSchema = z
  .strictObject({
    adapter: name,
    module: name,
    layer: count,
    /** Index of the slot in `slots`: adapters are switched per row by name. */
    slot: count,
    aux: z.number().min(0),
    z: z.number().min(0),
    topK: positive,
    /** What becomes of the kept softmax values, and what the router reads. */
    gate: z.enum(['renorm', 'softmax']),
    routes: z.enum(['input', 'rank']),
    experts: z.array(
      z.strictObject({
        space: z.string().max(64),
        map: z.string().max(64).optional(),
        rank: positive,
        scale: z.number().positive(),
        /** The space's parameters: float offset in the parameter buffer, how they are stored, whether they are learned. */
        parameters: z.array(
          z.strictObject({
            name,
            offset: count,
            stored: z.enum(['log', 'plain', 'logit']),
            learned: z.boolean(),
          }),
        ),
        /** The curvature is this times the only parameter. */
        sign: z.union([z.literal(1), z.literal(-1)]).optional(),
      }),
    ),
    origin: count,
  })
  .meta(GROWS);

const portMatrixSchema = z.strictObject({ buffer: count, columns: positive, ld: positive });

/**
 * Where an engine with a base model of its own plugs in: one adapted module of a plan of adapters alone. Matrices are f32
 * with a row per token; `columns` of the `ld` floats of a row are used, and the rest of x and dy must be zeros.
 */
export const portSchema = z
  .strictObject({
    module: name,
    /** The program that computes y = Δy from x. */
    forward: name,
    /** The program that computes dx, and adds to the gradients of the adapter, from x and dy. */
    backward: name,
    x: portMatrixSchema,
    y: portMatrixSchema,
    dx: portMatrixSchema,
    dy: portMatrixSchema,
  })
  .meta(GROWS);

export const trainingSchema = z.strictObject({
  steps: positive,
  batch: positive,
  accumulate: positive,
  length: positive,
  schedule: z.strictObject({
    kind: z.enum(['constant', 'linear', 'cosine']),
    warmup: z.number().min(0).max(1),
    floor: z.number().min(0).max(1),
  }),
  seed: z
    .int()
    .min(0)
    .max(2 ** 32 - 1),
  logEvery: positive,
  validateEvery: count,
  /** Validations without a better loss after which training ends; 0: never. */
  patience: count,
  /** Steps between checkpoints; 0: at the end and when stopped only. */
  checkpointEvery: count,
});

export const datasetSchema = z.strictObject({
  paths: z.array(z.string().max(4096)).min(1),
  format: z.enum(['auto', 'alpaca', 'messages', 'completion']),
});

export const planSchema = z
  .strictObject({
    format: z.literal(PLAN_FORMAT),
    version: z.string().regex(/^1\.(0|[1-9][0-9]{0,5})$/),
    name,
    /** sha256 of the program as checked, and of the model's configuration. */
    sources: z.strictObject({ program: z.string(), model: z.string() }),
    requires: z.strictObject({
      features: z.array(z.string()),
      /** Limits beyond WebGPU's defaults. */
      limits: z.record(z.string(), positive),
      /** GPU memory: of all buffers, and of those that one use alone needs (uses.ts). */
      bytes: positive,
      peak: z.strictObject({ training: positive, generation: positive }),
    }),
    symbols: z.strictObject({ tokens: positive, targets: positive, rows: positive }),
    /** Longest sequence a generation cache holds. */
    context: count,
    /**
     * Sequences generated together, tokens of prompts that `prefill` takes at a time, and floats between rows of `logits`;
     * absent for an adapter alone.
     */
    generation: z.strictObject({ rows: positive, tokens: positive, columns: positive }).optional(),
    /** Folder of the base checkpoint as given, absent for an adapter alone. */
    model: z.strictObject({ path: z.string(), family: z.string(), vocabulary: positive }).optional(),
    slots: z.array(name),
    buffers: z.array(bufferSchema),
    kernels: z.array(kernelSchema),
    origins: z.array(originSchema),
    programs: z.record(z.string(), z.array(dispatchSchema)),
    /** Fixed roles by name: which buffer is what. */
    groups: z.array(groupSchema),
    /** Group of every 16 floats of the parameter buffer: runs of [group, blocks]. */
    groupRuns: z.array(z.tuple([count, positive])),
    parameters: z.array(parameterSchema),
    sites: z.array(siteSchema),
    ports: z.array(portSchema).optional(),
    training: trainingSchema.optional(),
    data: datasetSchema
      .extend({ validation: z.number(), loss: z.enum(['response', 'all']), length: positive })
      .optional(),
    evals: z.array(
      datasetSchema.extend({
        name,
        metric: z.literal('exact'),
        maxTokens: positive,
        batch: positive,
        limit: positive.optional(),
      }),
    ),
  })
  .meta(GROWS);

export type Plan = z.infer<typeof planSchema>;
export type PlanBuffer = z.infer<typeof bufferSchema>;
export type PlanKernel = z.infer<typeof kernelSchema>;
export type Dispatch = z.infer<typeof dispatchSchema>;
export type Variant = z.infer<typeof variantSchema>;
export type View = z.infer<typeof viewSchema>;
export type Size = z.infer<typeof sizeSchema>;
export type SizeSymbol = z.infer<typeof symbolSchema>;
export type Origin = z.infer<typeof originSchema>;
export type Group = z.infer<typeof groupSchema>;
export type PlanParameter = z.infer<typeof parameterSchema>;
export type Site = z.infer<typeof siteSchema>;
export type Port = z.infer<typeof portSchema>;
export type Content = z.infer<typeof contentSchema>;
export type Training = z.infer<typeof trainingSchema>;
