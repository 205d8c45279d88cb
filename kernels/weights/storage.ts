/**
 * How frozen weights are stored. A kernel that reads them is written with the module `weights/f32`; another module in
 * this folder takes its place for another storage, and nothing else of the kernel changes.
 */
import { source } from '../source.ts';
import type { KernelSpec } from '../spec.ts';

export type Storage = 'f32' | 'bf16' | 'f16' | 'int8' | 'int4' | 'nf4';

const made = new Map<string, KernelSpec>();

/** The same kernel over weights stored otherwise. */
export function withStorage(spec: KernelSpec, storage: Storage): KernelSpec {
  if (storage === 'f32') return spec;
  const name = `${spec.name}.${storage}`;
  const known = made.get(name);
  if (known) return known;
  const plain = source('weights/f32');
  if (!spec.wgsl.includes(plain)) throw new Error(`bug: ${spec.name} reads no frozen weights`);
  const stored = { ...spec, name, wgsl: spec.wgsl.replace(plain, () => source(`weights/${storage}`)) };
  made.set(name, stored);
  return stored;
}
