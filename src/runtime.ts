/**
 * Executes plans on any standard `GPUDevice`: Dawn under Bun and Node, Deno's WebGPU, a browser. No dependency, no file
 * system, no global state. docs/embedding.md shows how.
 */
import type { Plan } from '../compiler/plan/schema.ts';
import { fault } from './report/portable.ts';
import { type Watched, watchDevice } from './runtime/device.ts';
import { Executor, type ExecutorOptions } from './runtime/executor.ts';
import { Adapters } from './runtime/ports.ts';
import type { CheckedPlan } from './runtime/read-plan.ts';
import { switchAdapters } from './runtime/session.ts';
import type { TensorSource } from './runtime/upload-weights.ts';

export type {
  Dispatch,
  Plan,
  PlanBuffer,
  PlanParameter,
  Port,
  Site,
  Variant,
} from '../compiler/plan/schema.ts';
export { type PackedBatch, pack } from './data/batches.ts';
export { IGNORED } from './data/labels.ts';
export { SafetensorsBytes, type TensorData } from './model/safetensors-bytes.ts';
export { Fault } from './report/portable.ts';
export {
  namedParameters,
  parametersFrom,
  type TensorFile,
} from './runtime/adapter-tensors.ts';
export { type Watched, type WatchOptions, watchDevice } from './runtime/device.ts';
export { Executor, type ExecutorOptions, type Frame, type Symbols } from './runtime/executor.ts';
export {
  extract,
  initialParameters,
  insert,
  parameterFloats,
  shapeOf,
  type TrainedState,
} from './runtime/parameters.ts';
export { type Choose, lastVariant } from './runtime/pipelines.ts';
export { type AdapterBatch, Adapters, type Matrix, type Record } from './runtime/ports.ts';
export { type CheckedPlan, type Kernels, readPlan } from './runtime/read-plan.ts';
export {
  EVALUATION,
  refresh,
  Session,
  type StepResult,
  switchAdapters,
  switchRows,
  symbolsOf,
  writeBatch,
} from './runtime/session.ts';
export type { TensorSource } from './runtime/upload-weights.ts';

export interface LoadOptions extends ExecutorOptions {
  /** The tensors of the base model; a plan of adapters alone needs none. */
  tensors?: TensorSource;
}

/** A plan on a device. */
export interface Loaded {
  plan: Plan;
  executor: Executor;
  /** Adapters on the caller's buffers; empty where the plan is of a whole model. */
  adapters: Adapters;
  /** Frees every buffer; the device stays open. */
  close(): void;
}

/**
 * Allocates the plan's buffers on the device and fills the constant ones; every adapter is on. The device needs the limits
 * in `plan.requires`. Faults: `gpu-limit`, `gpu-out-of-memory`, `gpu-lost`, and those of `tensors`.
 * @param device the caller's device, or one that `watchDevice` watches for this runtime alone
 */
export async function load(
  { plan, files }: CheckedPlan,
  device: GPUDevice | Watched,
  { tensors = noTensors, ...options }: LoadOptions = {},
): Promise<Loaded> {
  const watched = 'failure' in device ? device : watchDevice(device);
  checkLimits(plan, watched.device);
  const executor = await Executor.open(plan, files, watched, tensors, options);
  switchAdapters(executor, new Set(plan.slots));
  return { plan, executor, adapters: new Adapters(executor), close: () => executor.close() };
}

const noTensors: TensorSource = name =>
  Promise.reject(fault('missing-tensor', `no source of ${name} was given`));

function checkLimits({ requires }: Plan, { limits, features }: GPUDevice): void {
  // a limit that is not offered is NaN to a comparison
  const offered = limits as unknown as { [name: string]: number };
  const notes = [
    ...Object.entries(requires.limits)
      .filter(([name, value]) => !(offered[name] >= value))
      .map(([name, value]) => `${name}: ${value} needed, ${offered[name] ?? 'nothing'} granted`),
    ...requires.features
      .filter(feature => !features.has(feature))
      .map(feature => `feature ${feature} is missing`),
  ];
  if (notes.length > 0)
    throw fault('gpu-limit', 'the device was opened with too little for this plan', { notes });
}
