/** Mistakes of meaning: names, values, and what they say together. */
import { entries } from './entry.ts';

export const meaningEntries = entries({
  // Names
  'unknown-kind': {
    severity: 'error',
    about: 'A block starts with its kind: model, adapter, data, train or eval.',
    wrong: 'adaptor q_proj < >',
    right: 'adapter q_proj < >',
  },
  'unknown-field': {
    severity: 'error',
    about: 'The kind of block has no field of this name.',
    wrong: 'train < step: 300 >',
    right: 'train < steps: 300 >',
  },
  'unknown-parameter': {
    severity: 'error',
    about: 'What stands before the parenthesis has no parameter of this name.',
    wrong: 'adapter q_proj < experts: hyperbolic(k=0.5) >',
    right: 'adapter q_proj < experts: hyperbolic(c=0.5) >',
  },
  'unknown-choice': {
    severity: 'error',
    about: 'A bare word is one of the choices its field offers, and this is none of them.',
    wrong: 'train < schedule: cosin >',
    right: 'train < schedule: cosine >',
  },
  'unknown-space': {
    severity: 'error',
    about: 'An expert lives on a space: euclid, hyperbolic, sphere, kappa, or one that `space` declares.',
    wrong: 'adapter q_proj < experts: sphrere, euclid >',
    right: 'adapter q_proj < experts: sphere, euclid >',
  },
  'unknown-constant': {
    severity: 'error',
    about: '`$name` stands for a value declared with `let name = …`, in this file or in one it uses.',
    wrong: 'let curved = sphere;\nadapter q_proj < experts: $curvd >',
    right: 'let curved = sphere;\nadapter q_proj < experts: $curved >',
  },
  'unused-constant': {
    severity: 'warning',
    about: 'A constant of this file is used nowhere in it.',
    wrong: 'let curved = sphere;\nadapter q_proj < >',
    right: 'let curved = sphere;\nadapter q_proj < experts: $curved >',
  },
  'constant-cycle': {
    severity: 'error',
    about: 'A constant is defined by itself, directly or through others.',
    wrong: 'let a = $b; let b = $a;\nadapter q_proj < experts: $a >',
    right: 'let a = $b; let b = sphere;\nadapter q_proj < experts: $a >',
  },
  'duplicate-constant': {
    severity: 'error',
    about: 'Two constants have one name, in this file or in the files it uses.',
    wrong: 'let a = sphere; let a = euclid;\nadapter q_proj < experts: $a >',
    right: 'let a = sphere; let b = euclid;\nadapter q_proj < experts: $a, $b >',
  },
  'duplicate-field': {
    severity: 'error',
    about:
      'A field is given twice in one body. Several values of one field stand after one name, with commas.',
    wrong: 'train < steps: 3; steps: 4 >',
    right: 'train < steps: 4 >',
  },
  'duplicate-parameter': {
    severity: 'error',
    about: 'A parameter is given twice.',
    wrong: 'adapter q_proj < experts: sphere(c=1, c=2) >',
    right: 'adapter q_proj < experts: sphere(c=2) >',
  },
  'duplicate-block': {
    severity: 'error',
    about:
      'A program has one model, one data block and one train block. Several data files stand in one data block, with commas.',
    wrong: 'train < steps: 3 > train < batch: 4 >',
    right: 'train < steps: 3; batch: 4 >',
  },
  'duplicate-name': {
    severity: 'error',
    about:
      'Two evals have one name, so their results could not be told apart. An eval without a name is called `eval`.',
    wrong: 'eval a: on "x.jsonl" < > eval a: on "y.jsonl" < >',
    right: 'eval a: on "x.jsonl" < > eval b: on "y.jsonl" < >',
  },
  // Files
  'bad-use-path': {
    severity: 'error',
    about: '`use` names a file relative to the one it stands in, with `/` between folders.',
    wrong: 'use "/etc/common.mos";\nadapter q_proj < >',
    right: 'use "spaces/common.mos";\nadapter q_proj < >',
  },
  'use-outside-root': {
    severity: 'error',
    about:
      '`use` never leaves the project folder, so that a file from elsewhere cannot pull in one of yours.',
    wrong: 'use "../../common.mos";\nadapter q_proj < >',
    right: 'use "spaces/common.mos";\nadapter q_proj < >',
  },
  'use-not-found': {
    severity: 'error',
    about: 'The file named by `use` does not exist or cannot be read.',
    wrong: 'use "spaces/comon.mos";\nadapter q_proj < >',
    right: 'use "spaces/common.mos";\nadapter q_proj < >',
  },
  'use-cycle': {
    severity: 'error',
    about: 'A file uses itself, directly or through others.',
    wrong: 'use "main.mos";\nadapter q_proj < >',
    right: 'use "spaces/common.mos";\nadapter q_proj < >',
  },
  'block-in-used-file': {
    severity: 'error',
    about: 'A file that others use holds constants only; blocks stand in the file that is run.',
    wrong: 'use "spaces/blocks.mos";\nadapter q_proj < >',
    right: 'use "spaces/common.mos";\nadapter q_proj < >',
  },
  // Values
  'wrong-value': {
    severity: 'error',
    about:
      'The field or parameter takes another sort of value: a number for a word, a string for a number, a range outside `layers`.',
    wrong: 'train < steps: many >',
    right: 'train < steps: 300 >',
  },
  'out-of-range': {
    severity: 'error',
    about: 'The number is outside the interval that makes sense here.',
    wrong: 'adapter q_proj < dropout: 1.5 >',
    right: 'adapter q_proj < dropout: 0.1 >',
  },
  'unit-mismatch': {
    severity: 'error',
    about: 'The number has a unit that does not fit here: percent belongs to fractions.',
    wrong: 'train < steps: 5% >',
    right: 'train < steps: 300 >',
  },
  'too-many-values': {
    severity: 'error',
    about: 'Only `experts` takes several values; every other field takes one.',
    wrong: 'train < steps: 300, 400 >',
    right: 'train < steps: 300 >',
  },
  'no-parameters': {
    severity: 'error',
    about: 'The word is a plain choice and takes no parameters.',
    wrong: 'eval a: on "x.jsonl" < metric: exact(n=1) >',
    right: 'eval a: on "x.jsonl" < metric: exact >',
  },
  'missing-parameter': {
    severity: 'error',
    about: 'A parameter without a default is not given.',
    wrong: 'adapter q_proj < router: topk >',
    right: 'adapter q_proj < router: topk(k=3) >',
  },
  'bad-multiplicity': {
    severity: 'error',
    about:
      '`value * n` repeats an expert n times; n is a whole number from 1 to 64, and only experts can be repeated.',
    wrong: 'adapter q_proj < experts: sphere * 0, euclid >',
    right: 'adapter q_proj < experts: sphere * 2, euclid >',
  },
  'bad-layers': {
    severity: 'error',
    about:
      'Layers are whole numbers from 0, and a range runs upwards and includes both ends: `4..12` is nine layers.',
    wrong: 'adapter q_proj layers 12..4 < >',
    right: 'adapter q_proj layers 4..12 < >',
  },
  'bad-glob': {
    severity: 'error',
    about:
      'A string target is a glob over module paths: `*`, `?` and `{a,b}`, with balanced braces. Bare words match the end of a path.',
    wrong: 'adapter "mlp.{gate,up_proj" < >',
    right: 'adapter "mlp.{gate,up}_proj" < >',
  },
  'learn-bounds': {
    severity: 'error',
    about: 'A learned parameter starts between its bounds, and the lower bound is below the upper.',
    wrong: 'adapter q_proj < experts: sphere(c=learn(init=0.1, min=0.5)) >',
    right: 'adapter q_proj < experts: sphere(c=learn(init=0.5, min=0.1)) >',
  },
  // What belongs to a program
  'missing-model': {
    severity: 'error',
    about: 'There is nothing to adapt: no `model` block, and no model given on the command line.',
    wrong: 'adapter q_proj < >',
    right: 'model "models/tiny" < >\nadapter q_proj < >',
  },
  'missing-data': {
    severity: 'error',
    about: 'There is nothing to train on: no `data` block, and no data given on the command line.',
    wrong: 'adapter q_proj < >',
    right: 'data "train.jsonl" < >\nadapter q_proj < >',
  },
  'missing-adapter': {
    severity: 'error',
    about: 'A program declares at least one adapter; the model itself stays frozen.',
    wrong: 'model "models/tiny" < >',
    right: 'model "models/tiny" < >\nadapter q_proj < >',
  },
  'missing-target': {
    severity: 'error',
    about: 'An adapter says which modules it acts on.',
    wrong: 'adapter < rank: 8 >',
    right: 'adapter q_proj < rank: 8 >',
  },
  'missing-path': {
    severity: 'error',
    about: 'Model, data and eval name their files, in double quotes.',
    wrong: 'eval clock: < >',
    right: 'eval clock: on "clock.jsonl" < >',
  },
  'misplaced-part': {
    severity: 'error',
    about: 'This kind of block has no name, targets, `on` or `layers`.',
    wrong: 'train q_proj < >',
    right: 'train < >',
  },
  'too-few-experts': {
    severity: 'error',
    about: 'The router keeps more experts than the adapter has.',
    wrong: 'adapter q_proj < experts: sphere, euclid; router: topk(k=3) >',
    right: 'adapter q_proj < experts: sphere, euclid; router: top2 >',
  },
  'router-without-choice': {
    severity: 'warning',
    about: 'With a single expert there is nothing to choose, so the router is left out.',
    wrong: 'adapter q_proj < experts: sphere; router: top1 >',
    right: 'adapter q_proj < experts: sphere >',
  },
  'trains-nothing': {
    severity: 'warning',
    about:
      'The setting has no effect on training. A single gate renormalised is always 1, and a load-balance loss over experts that are all kept is constant.',
    wrong: 'adapter q_proj < experts: sphere, euclid; router: top1(gate=renorm) >',
    right: 'adapter q_proj < experts: sphere, euclid; router: top1 >',
  },
  'not-yet': {
    severity: 'error',
    about: 'The language knows the word and this version does not carry it out: `export`.',
    wrong: 'export "out" < >',
    right: 'train < seed: 1 >',
  },
});
