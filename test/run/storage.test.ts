/**
 * Training over stored weights: along the reference trajectory every storage must behave as f32 over the numbers that
 * its words stand for. What the rounding itself costs is measured by bench/precision.ts.
 */
import { describe, expect } from 'bun:test';
import { compile } from '../../compiler/index.ts';
import { type Storage, storagesFor } from '../../compiler/plan/storage.ts';
import type { Program } from '../../dsl/program.ts';
import type { Checkpoint } from '../../src/model/checkpoint.ts';
import { Executor } from '../../src/runtime/executor.ts';
import { packRows, unpackRows } from '../../src/runtime/pack-weights.ts';
import { Session } from '../../src/runtime/session.ts';
import type { TensorSource } from '../../src/runtime/upload-weights.ts';
import { openTrajectory } from '../../src/verify/trajectory.ts';
import { gpu, gpuTest, relativeError } from '../gpu/harness.ts';

const STEPS = 3;

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

async function train(program: Program, dtype: Storage, tensors: TensorSource): Promise<Float32Array[]> {
  const trajectory = openTrajectory('test/golden/train', 'examples/models');
  try {
    const changed = { ...program, model: { ...program.model, dtype } };
    const { plan, files } = compile(changed, trajectory.checkpoint.shape).compiled!;
    const executor = await Executor.open(plan, files, gpu!, tensors);
    const session = new Session(executor);
    session.start(trajectory.start(plan));
    const losses: number[] = [];
    const norms: number[] = [];
    for (let step = 0; step < STEPS; step++) {
      const { loss, norm } = await session.step([trajectory.batch(step)], 1, step, 0);
      losses.push(loss);
      norms.push(norm);
    }
    const parameters = await session.parameters();
    executor.close();
    return [Float32Array.from(losses), Float32Array.from(norms), parameters];
  } finally {
    trajectory.close();
  }
}

describe('the reference training', () => {
  // Each storage has pipelines of its own, half a minute of compiling on a software GPU; nf4 covers int8 as well, in its
  // tables, and the reference cases of `mos verify` are stored in bf16 and f16.
  const all = process.env.MOS_THOROUGH ? (['bf16', 'f16', 'int8', 'int4'] as const) : [];
  for (const dtype of [...all, 'nf4'] as const) {
    gpuTest(`over weights in ${dtype} equals f32 over the same numbers`, async () => {
      const { program, checkpoint, close } = openTrajectory('test/golden/train', 'examples/models');
      try {
        const plain: TensorSource = async (name, range) => checkpoint.readF32(name, range);
        const stored = await train(program, dtype, plain);
        const wanted = await train(program, 'f32', rounded(checkpoint, dtype));
        stored.forEach((values, i) => {
          expect(relativeError(values, wanted[i])).toBeLessThan(1e-4);
        });
      } finally {
        close();
      }
    });
  }
});
