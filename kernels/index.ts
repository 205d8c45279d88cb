/** All kernels by name. */
import * as adapter from './adapter/spec.ts';
import * as argmax from './argmax/spec.ts';
import * as attention from './attention/spec.ts';
import * as crossEntropy from './cross_entropy/spec.ts';
import * as embedding from './embedding/spec.ts';
import * as gram from './gram/spec.ts';
import * as heads from './heads/spec.ts';
import * as linear from './linear/spec.ts';
import * as optimizer from './optimizer/spec.ts';
import * as reduce from './reduce/spec.ts';
import * as rmsnorm from './rmsnorm/spec.ts';
import * as routing from './routing/spec.ts';
import * as rows from './rows/spec.ts';
import type { KernelSpec } from './spec.ts';
import * as swiglu from './swiglu/spec.ts';
import * as ties from './ties/spec.ts';
import { type Storage, withStorage } from './weights/storage.ts';

const rooms = [
  adapter,
  argmax,
  attention,
  crossEntropy,
  embedding,
  gram,
  heads,
  linear,
  optimizer,
  reduce,
  rmsnorm,
  routing,
  rows,
  swiglu,
  ties,
];

export const KERNELS: ReadonlyMap<string, KernelSpec> = new Map(
  rooms.flatMap(room => (Object.values(room) as unknown[]).filter(isSpec).map(spec => [spec.name, spec])),
);

/** `storage`: of the frozen weights, for kernels that read them. */
export function kernel(name: string, storage: Storage = 'f32'): KernelSpec {
  const spec = KERNELS.get(name);
  if (!spec) throw new Error(`bug: there is no kernel ${name}`);
  return withStorage(spec, storage);
}

function isSpec(value: unknown): value is KernelSpec {
  return typeof value === 'object' && value !== null && 'wgsl' in value && 'bindings' in value;
}
