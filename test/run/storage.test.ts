/**
 * Training over stored weights: along the reference trajectory every storage must behave as f32 over the numbers that
 * its words stand for. What the rounding itself costs is measured by bench/precision.ts.
 */
import { afterAll, describe, expect } from 'bun:test';
import { compile } from '../../compiler/index.ts';
import { STORAGES, type Storage, storagesFor } from '../../compiler/plan/storage.ts';
import type { Checkpoint } from '../../src/model/checkpoint.ts';
import { Executor } from '../../src/runtime/executor.ts';
import { packRows, unpackRows } from '../../src/runtime/pack-weights.ts';
import { Session } from '../../src/runtime/session.ts';
import type { TensorSource } from '../../src/runtime/upload-weights.ts';
import { openTrajectory } from '../../src/verify/trajectory.ts';
import { gpu, gpuTest, relativeError } from '../gpu/harness.ts';

/** The checkpoint's numbers after a round trip through a storage. */
function rounded(checkpoint: Checkpoint, dtype: Storage): TensorSource {
  const { linear, table } = storagesFor(dtype, undefined);
  const tables = [checkpoint.shape.embedding, checkpoint.shape.head];
  return async (name, range) => {
    const values = checkpoint.readF32(name, range);
    const [, columns] = checkpoint.tensor(name).shape;
    if (columns === undefined) return values;
    const storage = tables.includes(name) ? table : linear;
    return unpackRows(storage, packRows(storage, values, columns, columns), columns, columns);
  };
}

const { program, checkpoint, steps, batch, start, close } = openTrajectory(
  'test/golden/train',
  'examples/models',
);

function open(dtype: Storage, tensors: TensorSource): Promise<Executor> {
  const { plan, files } = compile({ ...program, model: { ...program.model, dtype } }, checkpoint.shape)
    .compiled!;
  return Executor.open(plan, files, gpu!, tensors, { use: 'training' });
}

/** Losses, gradient norms and trained parameters of the reference training. */
async function train(executor: Executor): Promise<Float32Array[]> {
  const session = new Session(executor);
  session.start(start(executor.plan));
  const losses = new Float32Array(steps);
  const norms = new Float32Array(steps);
  for (let step = 0; step < steps; step++) {
    const result = await session.step([batch(step)], 1, step, 0);
    losses[step] = result.loss;
    norms[step] = result.norm;
  }
  return [losses, norms, await session.parameters()];
}

/** Over f32; its weights are written anew for each storage, which is sooner done than compiling its kernels again. */
let plain: Executor | undefined;
afterAll(() => {
  plain?.close();
  close();
});

describe('the reference training', () => {
  for (const dtype of STORAGES.filter(s => s !== 'f32'))
    gpuTest(`over weights in ${dtype} equals f32 over the same numbers`, async () => {
      const tensors = rounded(checkpoint, dtype);
      if (plain) await plain.buffers.fill(tensors);
      else plain = await open('f32', tensors);
      const wanted = await train(plain);
      const stored = await open(dtype, checkpoint.source());
      const got = await train(stored);
      stored.close();
      got.forEach((values, i) => {
        expect(relativeError(values, wanted[i])).toBeLessThan(1e-4);
      });
    });
});
