/** Frozen weights from the checkpoint to the GPU, in pieces: never a whole file, nor a large tensor, in memory at once. */
import type { Content } from '../../compiler/plan/schema.ts';
import { rowWords, type Storage } from '../../compiler/plan/storage.ts';
import { fault } from '../report/portable.ts';
import { checkLosses, noLosses, packRows } from './pack-weights.ts';

/**
 * Gives the executor the tensors of the base checkpoint, as f32 in row-major order: a range of elements, or all of them.
 */
export interface TensorSource {
  (name: string, range?: { from: number; count: number }): Promise<Float32Array>;
  /** Rows of a matrix as words of a storage, where the checkpoint holds them so. */
  packed?(name: string, storage: Storage, rows: { from: number; count: number }): Uint32Array | undefined;
}

/** Numbers converted at a time. */
const PIECE = 4 * 2 ** 20;
/** Bytes handed to the queue before it is waited for: Dawn keeps a copy of each until then. */
const IN_FLIGHT = 128 * 2 ** 20;

export async function uploadWeights(
  { queue }: GPUDevice,
  target: GPUBuffer,
  { storage, parts }: Extract<Content, { kind: 'weights' }>,
  tensors: TensorSource,
): Promise<void> {
  let pending = 0;
  for (const { tensor, offset, rows, columns, ld, from } of parts) {
    const losses = noLosses();
    const step = Math.max(1, Math.floor(PIECE / columns));
    const pitch = rowWords(storage, ld);
    for (let row = 0; row < rows; row += step) {
      const count = Math.min(step, rows - row);
      const whole = from === undefined && count === rows;
      const first = (from ?? 0) + row;
      const packed = tensors.packed?.(tensor, storage, { from: first, count });
      const range = { from: first * columns, count: count * columns };
      const values = packed ? undefined : await tensors(tensor, whole ? undefined : range);
      const [found, wanted] = packed ? [packed.length, count * pitch] : [values!.length, count * columns];
      if (found !== wanted)
        throw fault(
          'wrong-tensor-shape',
          `\`${tensor}\` holds ${found} numbers where the plan expects ${count}×${columns}`,
        );
      const at = 4 * (storage === 'f32' ? offset + row * ld : (offset / ld + row) * pitch);
      const words = packed ?? packRows(storage, values!, columns, ld, losses);
      // the last row of a plain matrix may lack its padding
      queue.writeBuffer(
        target,
        at,
        words as Uint32Array<ArrayBuffer>,
        0,
        Math.min(words.length, (target.size - at) / 4),
      );
      pending += words.byteLength;
      if (pending < IN_FLIGHT) continue;
      queue.submit([]);
      await queue.onSubmittedWorkDone();
      pending = 0;
    }
    checkLosses(tensor, storage, losses);
  }
}
