/** Mistakes that the text alone shows: characters, numbers, punctuation, the shape of a block. */
import { entries } from './entry.ts';

export const textEntries = entries({
  // Characters
  'unexpected-character': {
    severity: 'error',
    about:
      'A character that no word, number or sign of the language starts with. Names are ASCII letters, digits and `_`.',
    wrong: 'adapter q_proj < rank: 8 # small\n>',
    right: 'adapter q_proj < rank: 8 // small\n>',
  },
  'bidi-character': {
    severity: 'warning',
    about:
      'An invisible character changes the direction of the text around it, so the file does not mean what an editor shows (CVE-2021-42574).',
    wrong: '// reviewed \u202e by nobody\nadapter q_proj < experts: euclid >',
    right: '// reviewed by nobody\nadapter q_proj < experts: euclid >',
  },
  'unterminated-string': {
    severity: 'error',
    about: 'A string ends on the line it starts on, with a double quote.',
    wrong: 'model "models/tiny\nadapter q_proj < >',
    right: 'model "models/tiny" < >\nadapter q_proj < >',
  },
  'unterminated-comment': {
    severity: 'error',
    about: 'A comment opened with `/*` runs to `*/`; without it the rest of the file is a comment.',
    wrong: 'adapter q_proj < > /* the query projection',
    right: 'adapter q_proj < > /* the query projection */',
  },
  'single-quotes': {
    severity: 'error',
    about: 'Strings are written in double quotes.',
    wrong: "data 'train.jsonl' < >",
    right: 'data "train.jsonl" < >',
  },
  'bad-escape': {
    severity: 'error',
    about:
      'A string knows two escapes, `\\"` and `\\\\`. Folders in paths are separated by `/` on every system.',
    wrong: 'data "runs\\train.jsonl" < >',
    right: 'data "runs/train.jsonl" < >',
  },
  braces: {
    severity: 'error',
    about: 'The body of a block stands between `<` and `>`. Braces only occur in globs, inside a string.',
    wrong: 'adapter q_proj { rank: 8 }',
    right: 'adapter q_proj < rank: 8 >',
  },
  'too-deep': {
    severity: 'error',
    about: 'Brackets nested this deep mean nothing in the language, and would exhaust the parser.',
    wrong: `adapter q_proj < rank: ${'['.repeat(80)}8${']'.repeat(80)} >`,
    right: 'adapter q_proj < rank: 8 >',
  },
  // Numbers
  'number-trailing-dot': {
    severity: 'error',
    about: 'A number ends in a digit or a unit, so that `4..12` can only be a range.',
    wrong: 'adapter q_proj < alpha: 4. >',
    right: 'adapter q_proj < alpha: 4.0 >',
  },
  'number-leading-dot': {
    severity: 'error',
    about: 'A number starts with a digit.',
    wrong: 'adapter q_proj < dropout: .5 >',
    right: 'adapter q_proj < dropout: 0.5 >',
  },
  'number-underscore': {
    severity: 'error',
    about: 'An underscore may stand between two digits and nowhere else in a number.',
    wrong: 'train < steps: 1000_ >',
    right: 'train < steps: 1_000 >',
  },
  'bad-number': {
    severity: 'error',
    about:
      'A number is digits, then at most one fraction, one exponent and one unit. There are no hexadecimal numbers.',
    wrong: 'train < lr: 1.2.3 >',
    right: 'train < lr: 1.2e-3 >',
  },
  'number-too-large': {
    severity: 'error',
    about: 'The number is beyond what a 32-bit float holds, which is what the GPU computes in.',
    wrong: 'train < lr: 1e999 >',
    right: 'train < lr: 1e-3 >',
  },
  'unit-spacing': {
    severity: 'error',
    about: 'A unit follows its number directly, because a word after a space is a word of its own.',
    wrong: 'data "a.jsonl" < validation: 5 % >',
    right: 'data "a.jsonl" < validation: 5% >',
  },
  'unknown-unit': {
    severity: 'error',
    about: 'The units are %, s, ms, min, h, and bytes from B to GiB (or KB, MB, GB).',
    wrong: 'data "a.jsonl" < validation: 5pc >',
    right: 'data "a.jsonl" < validation: 5% >',
  },
  // Punctuation
  'missing-semicolon': {
    severity: 'error',
    about: 'Fields of a body are separated by `;`. The last one needs none.',
    wrong: 'train <\n  steps: 300\n  batch: 8\n>',
    right: 'train <\n  steps: 300;\n  batch: 8\n>',
  },
  'missing-comma': {
    severity: 'error',
    about: 'Values, targets and parameters are separated by commas.',
    wrong: 'adapter q_proj < experts: sphere euclid >',
    right: 'adapter q_proj < experts: sphere, euclid >',
  },
  'stray-comma': {
    severity: 'error',
    about: 'A comma stands between two values; here it has none on one of its sides.',
    wrong: 'adapter q_proj < experts: sphere, euclid, >',
    right: 'adapter q_proj < experts: sphere, euclid >',
  },
  'missing-colon': {
    severity: 'error',
    about: 'A field is its name, a colon, and its value.',
    wrong: 'train < steps 300 >',
    right: 'train < steps: 300 >',
  },
  'equals-for-colon': {
    severity: 'error',
    about: '`:` binds fields, `=` binds parameters. They differ so that a field is seen at a glance.',
    wrong: 'train < steps = 300 >',
    right: 'train < steps: 300 >',
  },
  'colon-for-equals': {
    severity: 'error',
    about: '`=` binds parameters and constants, `:` binds fields.',
    wrong: 'adapter q_proj < experts: sphere(c: learn) >',
    right: 'adapter q_proj < experts: sphere(c=learn) >',
  },
  'missing-value': {
    severity: 'error',
    about: 'A field, parameter or constant is named, and no value follows.',
    wrong: 'train < steps: >',
    right: 'train < steps: 300 >',
  },
  'missing-body': {
    severity: 'error',
    about: 'A block has a body, even if nothing is in it.',
    wrong: 'model "models/tiny"',
    right: 'model "models/tiny" < >',
  },
  'missing-open': {
    severity: 'error',
    about: 'The fields of a block stand between `<` and `>`, and here the first is missing.',
    wrong: 'adapter q_proj rank: 8 >',
    right: 'adapter q_proj < rank: 8 >',
  },
  'unclosed-body': {
    severity: 'error',
    about: 'A body runs to its `>`. The next block or the end of the file came first.',
    wrong: 'adapter q_proj < rank: 8;\ntrain < >',
    right: 'adapter q_proj < rank: 8 >\ntrain < >',
  },
  'unclosed-bracket': {
    severity: 'error',
    about: 'A `(` or `[` is closed within its field.',
    wrong: 'adapter q_proj < experts: sphere(c=learn, euclid >',
    right: 'adapter q_proj < experts: sphere(c=learn), euclid >',
  },
  unexpected: {
    severity: 'error',
    about: 'Something stands where nothing of its sort can. The rest of the file is still checked.',
    wrong: 'adapter q_proj < > )',
    right: 'adapter q_proj < >',
  },
  expected: {
    severity: 'error',
    about: 'A part is missing: a `use` without its file, a constant without its name.',
    wrong: 'use;\nadapter q_proj < >',
    right: 'use "spaces/common.mos";\nadapter q_proj < >',
  },
  'field-outside-block': {
    severity: 'error',
    about: 'A field stands outside any `< >`, often because a `>` came too early.',
    wrong: 'train < steps: 3 >\n  batch: 8',
    right: 'train < steps: 3;\n  batch: 8 >',
  },
  'positional-parameter': {
    severity: 'error',
    about: 'Parameters are given by name, so that a file can be read without the manual.',
    wrong: 'adapter q_proj < experts: sphere(0.5) >',
    right: 'adapter q_proj < experts: sphere(c=0.5) >',
  },
  'hyphen-spacing': {
    severity: 'error',
    about: 'Words joined by a hyphen are written without spaces, as in `all-linear`.',
    wrong: 'adapter all - linear < >',
    right: 'adapter all-linear < >',
  },
  'bad-name': {
    severity: 'error',
    about:
      'A name is letters, digits and `_`, does not start with a digit, and is none of the reserved words `use`, `let`, `space`, `true`, `false`.',
    wrong: 'adapter math.v2: q_proj < >',
    right: 'adapter math_v2: q_proj < >',
  },
  'too-many-mistakes': {
    severity: 'note',
    about: 'Only the first hundred diagnostics are listed; correct some of them and check again.',
    wrong: `train <\n${'  oops;\n'.repeat(120)}>`,
    right: 'train < >',
  },
});
