/** `model "folder" < … >`: the frozen checkpoint that is adapted. */
import { type Fields, field, word } from './shape.ts';

export const modelFields = {
  dtype: field(
    'How the frozen matrices are stored on the GPU. Arithmetic is always in 32-bit floats.',
    word({
      auto: 'as the checkpoint stores them: `f32`, `bf16` or `f16`',
      f32: '32-bit floats',
      bf16: 'bfloat16, 16 bits',
      f16: 'IEEE half precision, 16 bits; values beyond 65504 are refused',
      int8: 'signed bytes with a scale per 64, 8.5 bits',
      int4: 'linear layers in 4-bit steps with an offset and a step per 64, 4.5 bits; embedding and head in `int8`',
      nf4: 'linear layers in 4-bit NormalFloat with doubly quantised scales (QLoRA), 4.2 bits; embedding and head in `int8`',
    }),
    'auto',
  ),
} satisfies Fields;
