/** Trained tensors between files and the flat parameter buffer, by name. */
import type { Plan, PlanParameter } from '../../compiler/plan/schema.ts';
import { fault } from '../report/portable.ts';
import { extract, insert, parameterFloats, shapeOf } from './parameters.ts';

/** What is asked of a file of tensors, wherever it is. */
export interface TensorFile {
  tensors: ReadonlyMap<string, { shape: number[] }>;
  readF32(name: string): Float32Array;
}

/**
 * Parameters of a plan from the file of an adapter. Every tensor must be there with its shape, and nothing else: fault
 * `adapter-mismatch`. `from`: the file's name, for messages.
 */
export function parametersFrom(plan: Plan, file: TensorFile, from: string): Float32Array {
  const flat = new Float32Array(parameterFloats(plan));
  for (const p of plan.parameters) insert(flat, p, readTensor(file, p.name, p, from));
  const known = new Set(plan.parameters.map(p => p.name));
  checkUnknown(
    from,
    [...file.tensors.keys()].find(name => !known.has(name)),
  );
  return flat;
}

/**
 * Puts one adapter into a plan's parameters, as the adapter `slot`, whatever it was called where it was trained. Fault:
 * `adapter-mismatch`.
 */
export function insertAdapter(
  slot: string,
  plan: Plan,
  flat: Float32Array,
  file: TensorFile,
  from: string,
): void {
  const nameless = (name: string) => name.replace(/\.adapters\.[^.]+/, '');
  const names = new Map([...file.tensors.keys()].map(name => [nameless(name), name]));
  if (names.size !== file.tensors.size)
    throw fault('adapter-mismatch', `\`${from}\` holds several adapters, where \`${slot}\` is one`);
  const wanted = plan.parameters.filter(p => p.adapter === slot);
  for (const p of wanted) insert(flat, p, readTensor(file, names.get(nameless(p.name)), p, from));
  const known = new Set(wanted.map(p => nameless(p.name)));
  checkUnknown(from, [...names].find(([name]) => !known.has(name))?.[1]);
}

/** Every trained tensor by its name in adapter files, with its shape. */
export function namedParameters(
  plan: Plan,
  flat: Float32Array,
): Map<string, { dtype: 'F32'; shape: number[]; data: Float32Array }> {
  return new Map(
    plan.parameters.map(p => [p.name, { dtype: 'F32', shape: shapeOf(p), data: extract(flat, p) }]),
  );
}

function readTensor(
  file: TensorFile,
  name: string | undefined,
  p: PlanParameter,
  from: string,
): Float32Array {
  const shape = name === undefined ? undefined : file.tensors.get(name)?.shape;
  if (name === undefined || !shape)
    throw fault('adapter-mismatch', `\`${from}\` has no tensor \`${p.name}\``);
  if (shape.join() !== shapeOf(p).join())
    throw fault(
      'adapter-mismatch',
      `\`${name}\` is ${shape.join('×')} where the plan expects ${shapeOf(p).join('×')}`,
    );
  return file.readF32(name);
}

function checkUnknown(from: string, name: string | undefined): void {
  if (name !== undefined)
    throw fault('adapter-mismatch', `the plan has no place for tensor \`${name}\` of \`${from}\``);
}
