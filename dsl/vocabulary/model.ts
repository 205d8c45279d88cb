/** `model "folder" < … >`: the frozen checkpoint that is adapted. */
import { type Fields, field, word } from './shape.ts';

const later = 'weights stored in it';

export const modelFields = {
  dtype: field(
    'Number type of the frozen weights on the GPU.',
    word({ f32: '32-bit floats' }, { bf16: later, f16: later, int8: later, nf4: later, int4: later }),
    'f32',
  ),
} satisfies Fields;
