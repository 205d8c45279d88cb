/**
 * The kinds of block: what may stand in their header, and which fields their body has. The grammar looks words up
 * here, the checker reads fields from here, and pages and completion list it.
 */
import { adapterFields } from './adapter.ts';
import { dataFields } from './data.ts';
import { evalFields } from './eval.ts';
import { modelFields } from './model.ts';
import type { Fields } from './shape.ts';
import { trainFields } from './train.ts';

export interface Kind {
  doc: string;
  /** A block of this kind as one would write it. */
  example: string;
  /** `kind name: …` */
  label: boolean;
  /** Module targets, one path, several paths, or nothing. */
  targets: 'modules' | 'path' | 'paths' | 'none';
  on: boolean;
  layers: boolean;
  /** `later`: the language knows it, this version does not carry it out, and its fields are not checked. */
  status: 'now' | 'later';
  fields: Fields;
}

const plain = { label: false, targets: 'none', on: false, layers: false, status: 'now' } as const;

export const KIND = {
  model: {
    ...plain,
    doc: 'The frozen checkpoint: a folder in Hugging Face layout, or OWNER/NAME of one that `mos pull` has fetched.',
    example: 'model "models/tiny-qwen2" < dtype: f32 >',
    targets: 'path',
    fields: modelFields,
  },
  adapter: {
    ...plain,
    doc: 'A mixture of spaces added to some modules. A bare word matches the end of a module path, a string is a glob.',
    example: 'adapter q_proj layers 2..5 < experts: hyperbolic(c=learn), sphere, euclid; router: top2 >',
    label: true,
    targets: 'modules',
    layers: true,
    fields: adapterFields,
  },
  data: {
    ...plain,
    doc: 'What is trained on: one or several JSON Lines files.',
    example: 'data "train.jsonl" < format: alpaca; length: 128; validation: 5% >',
    targets: 'paths',
    fields: dataFields,
  },
  train: {
    ...plain,
    doc: 'How it is trained.',
    example: 'train < steps: 300; batch: 16; lr: 3e-3 >',
    fields: trainFields,
  },
  eval: {
    ...plain,
    doc: 'What is measured after training.',
    example: 'eval clock: on "clock.jsonl" < metric: exact; max_tokens: 24 >',
    label: true,
    on: true,
    fields: evalFields,
  },
  export: {
    ...plain,
    doc: 'How the trained adapters are written out.',
    example: 'export "out" < >',
    label: true,
    targets: 'paths',
    status: 'later',
    fields: {},
  },
  sweep: {
    ...plain,
    doc: 'Lists of values for fields of other blocks. Every combination is a program of its own.',
    example: 'sweep < experts: subsets(hyperbolic, sphere, euclid); seed: [1, 2, 3] >',
    label: true,
    fields: {},
  },
} satisfies Record<string, Kind>;

export type KindName = keyof typeof KIND;

export const isKind = (word: string): word is KindName => Object.hasOwn(KIND, word);
export const kindNames = Object.keys(KIND) as KindName[];
