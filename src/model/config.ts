/**
 * config.json of a Hugging Face checkpoint → `ModelShape`. Llama, Mistral, Qwen2, Qwen3 and Gemma 3 are one decoder with a
 * few switches: biases, norms, activation, the head size, tying, RoPE and its scaling. What is not in this list is refused by name,
 * because a model computed slightly wrong trains without complaint.
 */
import { join } from 'node:path';
import { z } from 'zod';
import type { LayerShape, LinearShape, ModelShape } from '../../compiler/plan/model.ts';
import { fault } from '../report/fault.ts';
import { hasPrototypeKey, quote, readJson, resolveInside } from './files.ts';
import { type RopeScaling, ropeFrequencies } from './rope.ts';

const FAMILIES = ['llama', 'mistral', 'qwen2', 'qwen3', 'gemma3_text'] as const;
type Family = (typeof FAMILIES)[number];

/** Absent keys have the value that transformers' configuration classes give them. */
const DEFAULT_POSITIONS: Record<Family, number> = {
  llama: 2048,
  mistral: 131072,
  qwen2: 32768,
  qwen3: 32768,
  gemma3_text: 131072,
};
/** Size of a head where the hidden size is not shared between them. */
const HEAD_SIZE: Partial<Record<Family, number>> = { qwen3: 128, gemma3_text: 256 };
/** What keeps an architecture out that is nearly one of those above. */
const LACKING: Record<string, string> = {
  gemma2: 'soft-capped attention and logits are not built',
  gemma3: 'models with images are not built; those for text alone have `model_type` gemma3_text',
};

function whole(max: number) {
  return z.custom<number>(v => Number.isInteger(v) && (v as number) >= 1 && (v as number) <= max, {
    error: `must be a whole number from 1 to ${max}`,
  });
}

function positive() {
  return z.custom<number>(v => typeof v === 'number' && Number.isFinite(v) && v > 0, {
    error: 'must be a number above 0',
  });
}

function flag() {
  return z.boolean({ error: 'must be true or false' }).nullish();
}

const ROPE = z.looseObject(
  {
    rope_type: z.string({ error: 'must be a string' }).nullish(),
    type: z.string({ error: 'must be a string' }).nullish(),
    rope_theta: positive().nullish(),
    factor: positive().nullish(),
    low_freq_factor: positive().nullish(),
    high_freq_factor: positive().nullish(),
    original_max_position_embeddings: whole(2 ** 26).nullish(),
    partial_rotary_factor: positive().nullish(),
  },
  { error: 'must be an object' },
);
/** Gemma 3 has one for each kind of layer. */
const SCALING = ROPE.extend({ full_attention: ROPE.nullish(), sliding_attention: ROPE.nullish() });

const CONFIG = z.looseObject({
  hidden_size: whole(2 ** 17),
  intermediate_size: whole(2 ** 20),
  num_hidden_layers: whole(1024),
  num_attention_heads: whole(4096),
  num_key_value_heads: whole(4096).nullish(),
  head_dim: whole(4096).nullish(),
  vocab_size: whole(2 ** 22),
  max_position_embeddings: whole(2 ** 26).nullish(),
  rms_norm_eps: positive().nullish(),
  rope_theta: positive().nullish(),
  rope_scaling: SCALING.nullish(),
  rope_parameters: SCALING.nullish(),
  partial_rotary_factor: positive().nullish(),
  hidden_act: z.string({ error: 'must be a string' }).nullish(),
  hidden_activation: z.string({ error: 'must be a string' }).nullish(),
  query_pre_attn_scalar: positive().nullish(),
  rope_local_base_freq: positive().nullish(),
  sliding_window_pattern: whole(1024).nullish(),
  final_logit_softcapping: positive().nullish(),
  attn_logit_softcapping: positive().nullish(),
  use_bidirectional_attention: flag(),
  tie_word_embeddings: flag(),
  attention_bias: flag(),
  mlp_bias: flag(),
  use_sliding_window: flag(),
  sliding_window: whole(2 ** 26).nullish(),
  max_window_layers: z
    .custom<number>(v => Number.isInteger(v), { error: 'must be a whole number' })
    .nullish(),
  layer_types: z.array(z.string(), { error: 'must be a list of strings' }).nullish(),
  quantization_config: z
    .looseObject(
      { quant_method: z.string({ error: 'must be a string' }).nullish() },
      { error: 'must be an object' },
    )
    .nullish(),
});

/** `quantization_config` of what `mos quantize` writes; other tools refuse to read a `quant_method` they do not know. */
const PACKED = z.looseObject({
  quant_method: z.literal('mos'),
  version: z.literal(1),
  linear: z.enum(['int8', 'int4', 'nf4']),
  table: z.enum(['int8']),
});

type Config = z.infer<typeof CONFIG>;

/** Reads `config.json` of a checkpoint folder. Faults: see `parseConfig`, and those of reading JSON. */
export function readConfig(folder: string): ModelShape {
  const path = join(folder, 'config.json');
  return parseConfig(readJson(resolveInside(folder, 'config.json')), path);
}

/**
 * Checks a parsed config.json and gives the model's shape.
 * Faults: `bad-config` for a value out of range, `unsupported-model` for an architecture or option that is not
 * implemented, `unsupported-shape` for sizes that are not multiples of four.
 * @param path for messages
 */
export function parseConfig(json: unknown, path = 'config.json'): ModelShape {
  if (typeof json !== 'object' || json === null || Array.isArray(json)) {
    throw fault('bad-config', `${quote(path)} is not a JSON object`);
  }
  if (hasPrototypeKey(json)) throw fault('bad-json', `${quote(path)} has a key \`__proto__\``);
  const family = (json as Record<string, unknown>).model_type;
  if (!(FAMILIES as readonly unknown[]).includes(family)) {
    const found = typeof family === 'string' ? `the architecture ${quote(family)}` : 'no `model_type`';
    throw fault('unsupported-model', `${quote(path)} has ${found}`, {
      notes: [
        ...(typeof family === 'string' && Object.hasOwn(LACKING, family) ? [LACKING[family]] : []),
        `supported: ${FAMILIES.join(', ')}`,
      ],
    });
  }
  const parsed = CONFIG.safeParse(json);
  if (!parsed.success) {
    const problems = parsed.error.issues.map(issue => describeIssue(issue, json));
    throw fault('bad-config', `${quote(path)}: ${problems[0]}`, { notes: problems.slice(1, 8) });
  }
  refuseUnsupported(family as Family, parsed.data, path);
  return buildShape(family as Family, parsed.data, path);
}

function describeIssue(issue: { path: PropertyKey[]; message: string }, json: unknown): string {
  let value: unknown = json;
  for (const key of issue.path) value = (value as Record<PropertyKey, unknown> | undefined)?.[key];
  const shown = value === undefined ? 'it is missing' : `it is ${quote(JSON.stringify(value))}`;
  return `\`${issue.path.join('.')}\` ${issue.message}; ${shown}`;
}

function refuseUnsupported(family: Family, config: Config, path: string): void {
  const refuse = (what: string): never => {
    throw fault('unsupported-model', `${quote(path)} asks for ${what}, which is not supported`);
  };
  const gemma = family === 'gemma3_text';
  const activation = config.hidden_activation ?? config.hidden_act ?? (gemma ? GELU : 'silu');
  if (gemma ? activation !== GELU : activation !== 'silu' && activation !== 'swish')
    refuse(`the activation ${quote(activation)}`);
  if (config.final_logit_softcapping ?? config.attn_logit_softcapping) refuse('soft-capped logits');
  if (config.use_bidirectional_attention === true) refuse('attention in both directions');
  const { quantization_config: quantised } = config;
  if (quantised != null && !PACKED.safeParse(quantised).success)
    refuse(`weights that are quantised by ${quote(JSON.stringify(quantised.quant_method ?? quantised))}`);
  const rotary = config.partial_rotary_factor ?? config.rope_parameters?.partial_rotary_factor ?? 1;
  if (rotary !== 1) refuse('rotary embeddings on part of each head (`partial_rotary_factor`)');
  const other = config.layer_types?.find(type => type !== 'full_attention' && type !== 'sliding_attention');
  if (other !== undefined) refuse(`layers of type ${quote(other)}`);
}

const GELU = 'gelu_pytorch_tanh';
/** Of Mistral, Qwen and Gemma 3 alike. */
const DEFAULT_WINDOW = 4096;
/** Of every so many layers of Gemma 3 one sees everything, unless `layer_types` says which. */
const GEMMA_PATTERN = 6;

/** Whether attention of a layer is limited to a window. */
function isSliding(family: Family, config: Config, index: number): boolean {
  if (config.layer_types) return config.layer_types[index] === 'sliding_attention';
  if (family === 'gemma3_text') return (index + 1) % (config.sliding_window_pattern ?? GEMMA_PATTERN) !== 0;
  if (family === 'mistral') return config.sliding_window !== null;
  return (
    family !== 'llama' && config.use_sliding_window === true && index >= (config.max_window_layers ?? 28)
  );
}

/** Longest context that is computed as the model means it: up to its length a sliding window hides nothing. */
function maxPositions(family: Family, config: Config): number {
  const positions = config.max_position_embeddings ?? DEFAULT_POSITIONS[family];
  const slides = Array.from({ length: config.num_hidden_layers }, (_, i) => isSliding(family, config, i));
  return slides.includes(true) ? Math.min(positions, config.sliding_window ?? DEFAULT_WINDOW) : positions;
}

function buildShape(family: Family, config: Config, path: string): ModelShape {
  const hidden = config.hidden_size;
  const heads = config.num_attention_heads;
  const keyValueHeads = config.num_key_value_heads ?? heads;
  const headSize = config.head_dim ?? HEAD_SIZE[family] ?? hidden / heads;
  if (!Number.isInteger(headSize)) {
    throw fault('bad-config', `${quote(path)}: \`hidden_size\` ${hidden} cannot be shared by ${heads} heads`);
  }
  if (heads % keyValueHeads !== 0) {
    throw fault(
      'bad-config',
      `${quote(path)}: ${heads} heads cannot share ${keyValueHeads} key-value heads evenly`,
    );
  }
  for (const [name, size] of [
    ['hidden_size', hidden],
    ['intermediate_size', config.intermediate_size],
    ['head size', headSize],
  ] as const) {
    if (size % 4 !== 0)
      throw fault('unsupported-shape', `${quote(path)}: ${name} ${size} is not a multiple of 4`);
  }

  const embedding = 'model.embed_tokens.weight';
  const tied = config.tie_word_embeddings ?? family === 'gemma3_text';
  return {
    family: family === 'mistral' ? 'llama' : family,
    vocabulary: config.vocab_size,
    hidden,
    intermediate: config.intermediate_size,
    heads,
    keyValueHeads,
    headSize,
    normEpsilon: config.rms_norm_eps ?? 1e-6,
    ropeFrequencies: ropeFrequencies(headSize, ropeTheta(family, config), ropeScaling(config, path)),
    maxPositions: maxPositions(family, config),
    embedding,
    head: tied ? embedding : 'lm_head.weight',
    finalNorm: 'model.norm.weight',
    layers: Array.from({ length: config.num_hidden_layers }, (_, i) =>
      layer(family, config, i, headSize, keyValueHeads),
    ),
    ...(family === 'gemma3_text' ? gemma(config) : {}),
    ...packing(config),
  };
}

/** What sets Gemma 3 apart. Weights of its norms are stored as their distance from 1. */
function gemma(config: Config): Partial<ModelShape> {
  return {
    activation: 'gelu_tanh',
    embeddingScale: Math.sqrt(config.hidden_size),
    attentionScale: (config.query_pre_attn_scalar ?? 256) ** -0.5,
    normOffset: 1,
  };
}

function packing({ quantization_config }: Config): Pick<ModelShape, 'dtype' | 'packed'> {
  if (quantization_config == null) return {};
  const { linear, table } = PACKED.parse(quantization_config);
  return { dtype: linear, packed: { linear, table } };
}

function layer(
  family: Family,
  config: Config,
  index: number,
  headSize: number,
  keyValueHeads: number,
): LayerShape {
  const prefix = `model.layers.${index}`;
  const attentionBias = family !== 'mistral' && config.attention_bias === true;
  // Qwen2 always has biases on q, k, v and never on o, whatever `attention_bias` says.
  const inputBias = family === 'qwen2' || attentionBias;
  const outputBias = family !== 'qwen2' && attentionBias;
  const mlpBias = family === 'llama' && config.mlp_bias === true;
  const linear = (path: string, from: number, to: number, bias: boolean): LinearShape => ({
    path: `${prefix}.${path}`,
    in: from,
    out: to,
    bias,
  });
  const hidden = config.hidden_size;
  const queries = config.num_attention_heads * headSize;
  const keys = keyValueHeads * headSize;
  const norm = (name: string) => `${prefix}.${name}.weight`;
  const gemma = family === 'gemma3_text';
  const local = { type: 'default' } as const;
  return {
    index,
    inputNorm: norm('input_layernorm'),
    postAttentionNorm: norm(gemma ? 'pre_feedforward_layernorm' : 'post_attention_layernorm'),
    ...(gemma || family === 'qwen3'
      ? { qNorm: norm('self_attn.q_norm'), kNorm: norm('self_attn.k_norm') }
      : {}),
    ...(gemma
      ? { attentionOutNorm: norm('post_attention_layernorm'), mlpOutNorm: norm('post_feedforward_layernorm') }
      : {}),
    ...(gemma && isSliding(family, config, index)
      ? { ropeFrequencies: ropeFrequencies(headSize, localTheta(config), local) }
      : {}),
    q: linear('self_attn.q_proj', hidden, queries, inputBias),
    k: linear('self_attn.k_proj', hidden, keys, inputBias),
    v: linear('self_attn.v_proj', hidden, keys, inputBias),
    o: linear('self_attn.o_proj', queries, hidden, outputBias),
    gate: linear('mlp.gate_proj', hidden, config.intermediate_size, mlpBias),
    up: linear('mlp.up_proj', hidden, config.intermediate_size, mlpBias),
    down: linear('mlp.down_proj', config.intermediate_size, hidden, mlpBias),
  };
}

/** RoPE of the layers that see everything, which are all layers except in Gemma 3. */
const fullRope = ({ rope_parameters: rope }: Config) => rope?.full_attention ?? rope;

function ropeTheta(family: Family, config: Config): number {
  return fullRope(config)?.rope_theta ?? config.rope_theta ?? (family === 'gemma3_text' ? 1e6 : 10000);
}

/** Of the layers of Gemma 3 that see a window. */
const localTheta = ({ rope_parameters: rope, rope_local_base_freq }: Config): number =>
  rope?.sliding_attention?.rope_theta ?? rope_local_base_freq ?? 10000;

/** `rope_parameters` is the newer key (it also holds theta); both may be there, saying the same. */
function ropeScaling(config: Config, path: string): RopeScaling {
  const scaling = fullRope(config) ?? config.rope_scaling;
  const type = scaling?.rope_type ?? scaling?.type ?? 'default';
  const need = (
    key: 'factor' | 'low_freq_factor' | 'high_freq_factor' | 'original_max_position_embeddings',
  ) => {
    const value = scaling?.[key];
    if (value == null) throw fault('bad-config', `${quote(path)}: RoPE type ${quote(type)} needs \`${key}\``);
    return value;
  };
  switch (type) {
    case 'default':
      return { type };
    case 'linear':
      return { type, factor: need('factor') };
    case 'llama3': {
      const low = need('low_freq_factor');
      const high = need('high_freq_factor');
      if (high <= low) {
        throw fault(
          'bad-config',
          `${quote(path)}: \`high_freq_factor\` ${high} must be above \`low_freq_factor\` ${low}`,
        );
      }
      return { type, factor: need('factor'), low, high, original: need('original_max_position_embeddings') };
    }
    default:
      throw fault(
        'unsupported-model',
        `${quote(path)} asks for RoPE type ${quote(type)}, which is not supported`,
        {
          notes: ['supported: default, linear, llama3'],
        },
      );
  }
}
