/**
 * A base model small enough for tests that train: two layers of width 32, 61 tokens that are single characters, random
 * weights from a seed, with data and a program to go with it. A step takes milliseconds once its kernels are compiled.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { compile } from '../compiler/index.ts';
import type { Plan } from '../compiler/plan/schema.ts';
import { check } from '../dsl/index.ts';
import { hash32 } from '../src/data/shuffle.ts';
import { expectedTensors } from '../src/model/checkpoint.ts';
import { parseConfig } from '../src/model/config.ts';
import { type TensorData, writeSafetensors } from '../src/model/safetensors.ts';
import { writePlan } from '../src/run/plan-folder.ts';
import { normalStream } from '../src/runtime/random.ts';

const SPECIAL = ['<|end|>', '<|start|>', '<|stop|>'];
/** Ġ and Ċ stand for space and line feed, as in every byte-level vocabulary. */
const CHARACTERS = ['Ġ', 'Ċ', ...'abcdefghijklmnopqrstuvwxyz0123456789ABCDEFGHIJ.,:+-=?!<>'];
export const TINY_VOCABULARY = CHARACTERS.length + SPECIAL.length;

const CONFIG = {
  model_type: 'llama',
  hidden_size: 32,
  intermediate_size: 64,
  num_hidden_layers: 2,
  num_attention_heads: 2,
  num_key_value_heads: 1,
  vocab_size: TINY_VOCABULARY,
  hidden_act: 'silu',
  rms_norm_eps: 1e-5,
  max_position_embeddings: 64,
  tie_word_embeddings: true,
  eos_token_id: TINY_VOCABULARY - 1,
};

/** Writes the model into `folder` and returns it. */
export function writeTinyModel(folder: string, seed = 1): string {
  mkdirSync(folder, { recursive: true });
  const json = (name: string, value: unknown) => writeFileSync(join(folder, name), JSON.stringify(value));
  json('config.json', CONFIG);
  const tensors = new Map<string, TensorData>();
  for (const [name, shape] of expectedTensors(parseConfig(CONFIG))) {
    const random = normalStream(seed, name);
    const count = shape.reduce((a, b) => a * b, 1);
    const value = name.endsWith('norm.weight') ? () => 1 : (i: number) => 0.2 * random(i);
    tensors.set(name, {
      dtype: 'F32',
      shape,
      data: Float32Array.from({ length: count }, (_, i) => value(i)),
    });
  }
  writeSafetensors(join(folder, 'model.safetensors'), tensors);
  const byteLevel = { type: 'ByteLevel', add_prefix_space: false, trim_offsets: false, use_regex: false };
  json('tokenizer.json', {
    version: '1.0',
    truncation: null,
    padding: null,
    normalizer: null,
    pre_tokenizer: byteLevel,
    post_processor: byteLevel,
    decoder: byteLevel,
    added_tokens: SPECIAL.map((content, i) => ({
      id: CHARACTERS.length + i,
      content,
      single_word: false,
      lstrip: false,
      rstrip: false,
      normalized: false,
      special: true,
    })),
    model: {
      type: 'BPE',
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: '',
      end_of_word_suffix: '',
      fuse_unk: false,
      byte_fallback: false,
      vocab: Object.fromEntries(CHARACTERS.map((c, i) => [c, i])),
      merges: [],
    },
  });
  json('tokenizer_config.json', {
    tokenizer_class: 'PreTrainedTokenizerFast',
    bos_token: null,
    eos_token: '<|stop|>',
    pad_token: '<|end|>',
    clean_up_tokenization_spaces: false,
    model_max_length: 64,
  });
  return folder;
}

/** `count` sums such as `3+4=` → `7`, the same for every call with one seed. */
export function writeTinyData(path: string, count = 24, seed = 1): string {
  const lines = Array.from({ length: count }, (_, i) => {
    const [a, b] = [hash32(seed, 7, 0, 2 * i) % 10, hash32(seed, 7, 0, 2 * i + 1) % 10];
    return JSON.stringify({ prompt: `${a}+${b}=`, completion: `${a + b}.`, answer: `${a + b}.` });
  });
  writeFileSync(path, `${lines.join('\n')}\n`);
  return path;
}

export interface TinyOptions {
  /** The fields of `train < … >`, added to `batch: 2; lr: 1e-2`. */
  train?: string;
  /** The fields of the adapter. */
  adapter?: string;
  data?: string;
}

/** The text of a program on the tiny model, whose folder is `model` and whose data is `data.jsonl`. */
export function tinyProgram({ train = 'steps: 8', adapter, data = 'length: 16' }: TinyOptions = {}): string {
  const fields =
    adapter ?? 'rank: 4; alpha: 8; dropout: 0.1; experts: hyperbolic(c=learn), euclid; router: top1';
  return `model "model" < dtype: f32 >
adapter q_proj, down_proj < ${fields} >
data "data.jsonl" < ${data} >
train < batch: 2; lr: 1e-2; ${train} >
`;
}

export interface TinyRun {
  /** Holds model/, data.jsonl, program.mos and program.mosplan/. */
  folder: string;
  program: string;
  planFolder: string;
  plan: Plan;
}

/** Writes model, data, program and compiled plan into `folder`. */
export function writeTinyRun(folder: string, options: TinyOptions = {}): TinyRun {
  writeTinyModel(join(folder, 'model'));
  writeTinyData(join(folder, 'data.jsonl'));
  return compileTiny(folder, tinyProgram(options));
}

/** Compiles `text` in a folder that has the model; as `mos compile` would. */
export function compileTiny(folder: string, text: string): TinyRun {
  const program = join(folder, 'program.mos');
  writeFileSync(program, text);
  const checked = check(program, text, { readFile: path => readFileSync(path, 'utf8') });
  if (!checked.program) throw new Error(checked.diagnostics.map(d => d.message).join('\n'));
  // The plan folder lies in `folder`, so a path inside it goes up once.
  const { compiled, diagnostics } = compile(checked.program, parseConfig(CONFIG), {
    pathOf: path => `../${path}`,
  });
  if (!compiled) throw new Error(diagnostics.map(d => d.message).join('\n'));
  const planFolder = join(folder, 'program.mosplan');
  writePlan(planFolder, compiled.plan, compiled.files);
  return { folder, program, planFolder, plan: compiled.plan };
}
