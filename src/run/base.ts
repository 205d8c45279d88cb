/** Opens what a plan needs to run: the device with the limits it asks for, the base checkpoint, the tokenizer. */
import { isAbsolute, resolve } from 'node:path';
import type { Plan } from '../../compiler/plan/schema.ts';
import type { Use } from '../../compiler/plan/uses.ts';
import { type OpenedDevice, openDevice } from '../gpu/device.ts';
import { findModel, modelNotFound } from '../model/cache.ts';
import { type Checkpoint, openCheckpoint } from '../model/checkpoint.ts';
import { openTokenizer, type Tokenizer } from '../model/tokenizer.ts';
import { Executor } from '../runtime/executor.ts';
import { readPlan } from './plan-folder.ts';

export interface Base {
  plan: Plan;
  folder: string;
  opened: OpenedDevice;
  checkpoint: Checkpoint;
  tokenizer: Tokenizer;
  executor: Executor;
  close: () => void;
}

/** A plan in memory. */
export interface PlanSource {
  plan: Plan;
  /** WGSL by path inside the plan. */
  files: ReadonlyMap<string, string>;
  /** Where paths in the plan start. */
  folder: string;
}

export interface BaseOptions {
  /** What the plan is opened for: decides which buffers are made before the weights are loaded. Default: all. */
  use?: Use;
  /** Opens the device; tests put themselves in between. */
  openDevice?: typeof openDevice;
}

/** `folder`: a plan folder. Paths in a plan are relative to it. */
export async function openBase(
  from: string | PlanSource,
  phase: (name: string, allowSeconds?: number) => void,
  options: BaseOptions = {},
): Promise<Base> {
  phase('reading the plan');
  const { plan, files, folder } = typeof from === 'string' ? { ...readPlan(from), folder: from } : from;
  if (!plan.model) throw new Error('bug: this plan has no base model');
  const found = findModel(plan.model.path, folder);
  if (!found) throw modelNotFound(plan.model.path);
  const checkpoint = openCheckpoint(found.folder);
  let opened: OpenedDevice | undefined;
  try {
    const tokenizer = openTokenizer(checkpoint.folder, plan.model.vocabulary);
    phase('opening the GPU');
    const device = await (options.openDevice ?? openDevice)({ limits: plan.requires.limits });
    opened = device;
    const executor = await Executor.open(
      plan,
      files,
      device,
      checkpoint.source(),
      { onPhase: p => phase(p, 600), ...(options.use ? { use: options.use } : {}) },
    );
    const close = () => {
      executor.close();
      device.close();
      checkpoint.close();
    };
    return { plan, folder, opened: device, checkpoint, tokenizer, executor, close };
  } catch (error) {
    opened?.close();
    checkpoint.close();
    throw error;
  }
}

/** A path stored in a plan, seen from here. */
export function inPlan(folder: string, path: string): string {
  return isAbsolute(path) ? path : resolve(folder, path);
}
