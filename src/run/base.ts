/** Opens what a plan needs to run: the device with the limits it asks for, the base checkpoint, the tokenizer. */
import { isAbsolute, resolve } from 'node:path';
import type { Plan } from '../../compiler/plan/schema.ts';
import { programsOf, type Use } from '../../compiler/plan/uses.ts';
import { describe, type OpenedDevice, openDevice } from '../gpu/device.ts';
import { attempt } from '../host/files.ts';
import { findModel, modelNotFound } from '../model/cache.ts';
import { type Checkpoint, openCheckpoint } from '../model/checkpoint.ts';
import { openTokenizer } from '../model/open-tokenizer.ts';
import type { Tokenizer } from '../model/tokenizer.ts';
import { fault } from '../report/fault.ts';
import { Executor } from '../runtime/executor.ts';
import { readPlan } from './plan-folder.ts';
import { wantedBy } from './trust.ts';
import { proveVariants } from './tune.ts';
import { choicesOf, emptyTuning, readTuning, tuningPath, writeTuning } from './tuning-file.ts';
import { type Choices, VariantChoice } from './variants.ts';

export interface Base {
  plan: Plan;
  folder: string;
  opened: OpenedDevice;
  checkpoint: Checkpoint;
  tokenizer: Tokenizer;
  executor: Executor;
  /** Which variants of kernels are run. */
  choices: Choices;
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
  /** Variants that a run was begun with. */
  pinned?: Choices | undefined;
  /** Features of the device that are taken where it has them, besides those that variants of kernels need. */
  features?: string[];
  /** Folder of tuning files. Default: in the user's cache. */
  tuningFolder?: string;
  /** Told about variants that compute something else than their reference, and are not taken. */
  warn?: (text: string) => void;
}

/** `from`: a plan folder, to which paths in the plan are relative, or a plan in memory. */
export async function openBase(
  from: string | PlanSource,
  phase: (name: string, allowSeconds?: number) => void,
  options: BaseOptions = {},
): Promise<Base> {
  phase('reading the plan');
  const { plan, files, folder } = typeof from === 'string' ? { ...readPlan(from), folder: from } : from;
  if (!plan.model)
    throw fault('plan-invalid', 'the plan is of adapters alone and has no base model', {
      help: 'run it with `mos/runtime`, in the program that has the base model',
    });
  const found = findModel(plan.model.path, folder);
  if (!found) throw modelNotFound(plan.model.path);
  const checkpoint = openCheckpoint(found.folder);
  let opened: OpenedDevice | undefined;
  try {
    const tokenizer = openTokenizer(checkpoint.folder, plan.model.vocabulary);
    phase('opening the GPU');
    const device = await (options.openDevice ?? openDevice)({
      limits: plan.requires.limits,
      wanted: wantedBy(plan, options.features),
    });
    opened = device;
    const path = tuningPath(device.info, options.tuningFolder);
    const tuning = readTuning(path, device.info) ?? emptyTuning(device.info);
    const variants = new VariantChoice(plan, describe(device.info), !device.software, {
      pinned: options.pinned,
      tuned: choicesOf(tuning),
    });
    const executor = await Executor.open(plan, files, device, checkpoint.source(), {
      onPhase: p => phase(p, 600),
      choose: variants.choose,
      ...(options.use ? { use: options.use } : {}),
    });
    const programs = options.use ? programsOf(plan, options.use) : Object.keys(plan.programs);
    const { refused, learned } = await proveVariants(executor, variants, tuning, programs);
    for (const name of refused)
      options.warn?.(`kernel ${name} gives wrong results on ${describe(device.info)} and is not used`);
    // That it is measured again next time is no reason to fail.
    if (learned) attempt(() => writeTuning(path, tuning));
    const close = () => {
      executor.close();
      device.close();
      checkpoint.close();
    };
    return { plan, folder, opened: device, checkpoint, tokenizer, executor, choices: variants.chosen, close };
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
