/** Numbers of ours as files, for peers that compute the same from them. */
import { join } from 'node:path';
import type { Plan } from '../compiler/plan/schema.ts';
import type { Checkpoint } from '../src/model/checkpoint.ts';
import { type TensorData, writeSafetensors } from '../src/model/safetensors.ts';
import { extract, shapeOf } from '../src/runtime/parameters.ts';

const tensor = (shape: number[], data: Float32Array): TensorData => ({ dtype: 'F32', shape, data });

/** Writes `weights` and `parameters` into `folder`: what the plan loads of the base, and what is trained. */
export function writeForPeer(folder: string, plan: Plan, checkpoint: Checkpoint, flat: Float32Array) {
  const write = (name: string, tensors: [string, TensorData][]) => {
    const path = join(folder, `${name}.safetensors`);
    writeSafetensors(path, new Map(tensors));
    return path;
  };
  const names = plan.buffers.flatMap(({ content }) =>
    content?.kind === 'weights' ? content.parts.map(part => part.tensor) : [],
  );
  return {
    weights: write(
      'weights',
      names.map(name => [name, tensor(checkpoint.tensor(name).shape, checkpoint.readF32(name))]),
    ),
    parameters: write(
      'parameters',
      plan.parameters.map(p => [p.name, tensor(shapeOf(p), extract(flat, p))]),
    ),
  };
}
