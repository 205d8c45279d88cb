/**
 * Layout of stored weights, row by row, in 32-bit words; kernels/weights/*.wgsl read it, src/run/pack-weights.ts writes
 * it. Rows have `ld` columns, a multiple of 4; zeros everywhere are the weight zero in every storage.
 *
 * | storage | a row | bits per weight |
 * | --- | --- | --- |
 * | f32 | ld floats | 32 |
 * | bf16, f16 | ld halves, the even column low | 16 |
 * | int8 | ld signed bytes, then an f32 scale per 64 columns | 8.5 |
 * | int4 | ld codes of 4 bits in whole words, then per 64 columns the value of code 0 and the step, as f16 | 4.5 |
 * | nf4 | mean and unit, f32; per 64 columns a byte e4m3, in whole words; ld codes of 4 bits in whole words | 4.13 + 64/ld |
 */
export const STORAGES = ['f32', 'bf16', 'f16', 'int8', 'int4', 'nf4'] as const;
export type Storage = (typeof STORAGES)[number];

/** Of the linear layers, and of the embedding and the head. */
export interface Storages {
  linear: Storage;
  table: Storage;
}

/**
 * What `dtype` means for a checkpoint. Codes of 4 bits are for linear layers only: token tables are looked up row by
 * row and end in the logits, where eight bits lose next to nothing and four do.
 */
export function storagesFor(dtype: Storage | 'auto', own: Storage | undefined): Storages {
  const linear = dtype === 'auto' ? (own ?? 'f32') : dtype;
  return { linear, table: linear === 'int4' || linear === 'nf4' ? 'int8' : linear };
}

/** Columns that share a scale. */
export const BLOCK = 64;

/** Words between rows of `ld` columns. */
export function rowWords(storage: Storage, ld: number): number {
  const blocks = Math.ceil(ld / BLOCK);
  switch (storage) {
    case 'f32':
      return ld;
    case 'bf16':
    case 'f16':
      return ld / 2;
    case 'int8':
      return ld / 4 + blocks;
    case 'int4':
      return Math.ceil(ld / 8) + blocks;
    case 'nf4':
      return 2 + Math.ceil(blocks / 4) + Math.ceil(ld / 8);
    default:
      return storage satisfies never;
  }
}
