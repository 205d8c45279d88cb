/** The trained state on the host: initial values, and named tensors cut out of (or put into) the flat buffer. */
import type { Plan, PlanParameter } from '../../compiler/plan/schema.ts';
import { fault } from '../report/portable.ts';
import { normalStream, uniformStream } from './random.ts';

/** Everything an optimiser step reads of those before it, each as one flat buffer. */
export type TrainedState = Record<'params' | 'moment1' | 'moment2', Float32Array>;

/** Floats of the plan's parameter buffer. */
export function parameterFloats(plan: Plan): number {
  return plan.buffers.find(b => b.role === 'parameter')!.bytes / 4;
}

/** Initial parameters; depends on seed and names only. */
export function initialParameters(plan: Plan, seed: number): Float32Array {
  const flat = new Float32Array(parameterFloats(plan));
  for (const p of plan.parameters) insert(flat, p, initialValues(p, seed));
  return flat;
}

function initialValues({ name, init, rows, columns }: PlanParameter, seed: number): Float32Array {
  const count = rows * columns;
  switch (init.kind) {
    case 'constant':
      return new Float32Array(count).fill(init.value);
    case 'normal': {
      const random = normalStream(seed, name);
      return Float32Array.from({ length: count }, (_, i) => init.std * random(i));
    }
    case 'uniform': {
      const random = uniformStream(seed, name);
      return Float32Array.from({ length: count }, (_, i) => init.bound * (2 * random(i) - 1));
    }
    default:
      return init satisfies never;
  }
}

/** Writes a tensor, row-major and without padding, into the flat buffer. */
export function insert(
  flat: Float32Array,
  { name, offset, rows, columns, ld }: PlanParameter,
  values: ArrayLike<number>,
): void {
  if (values.length !== rows * columns)
    throw fault(
      'adapter-mismatch',
      `\`${name}\` has ${values.length} numbers where the plan expects ${rows}×${columns}`,
    );
  for (let r = 0; r < rows; r++)
    for (let c = 0; c < columns; c++) flat[offset + r * ld + c] = values[r * columns + c];
}

/** The inverse of `insert`. */
export function extract(flat: Float32Array, { offset, rows, columns, ld }: PlanParameter): Float32Array {
  const values = new Float32Array(rows * columns);
  for (let r = 0; r < rows; r++)
    values.set(flat.subarray(offset + r * ld, offset + r * ld + columns), r * columns);
  return values;
}

/** Name of the first tensor with a number that is not finite, in the parameters or in the moments of the optimiser. */
export function firstNotFinite(plan: Plan, tensors: TrainedState): string | undefined {
  for (const [part, flat] of Object.entries(tensors)) {
    if (flat.every(Number.isFinite)) continue;
    const found = plan.parameters.find(p => !extract(flat, p).every(Number.isFinite));
    return `${part === 'params' ? '' : `the optimiser's ${part} of `}${found?.name ?? 'the padding'}`;
  }
  return undefined;
}

/** Shape as adapter files give it: scalars are [1]. */
export function shapeOf({ rows, columns, kind }: PlanParameter): number[] {
  return kind === 'curvature' || kind === 'parameter' || kind === 'scale' ? [1] : [rows, columns];
}

/** Numbers that training changes. */
export function trainableCount(plan: Plan): number {
  return plan.parameters
    .filter(p => plan.groups[p.group].kind !== 'frozen')
    .reduce((sum, p) => sum + p.rows * p.columns, 0);
}
