/**
 * Training from a plan folder into an output folder, of which this process is the only user. A lost GPU is opened anew
 * and the run goes on from its last checkpoint; what happens between two losses is `training-run.ts`.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type Files, realFiles, refuseOthers } from '../host/files.ts';
import { lockFolder } from '../host/lock.ts';
import { readHead } from '../model/files.ts';
import { Fault, fault } from '../report/fault.ts';
import { type Base, openBase } from './base.ts';
import { Checkpoints } from './checkpoint.ts';
import type { Listener } from './listener.ts';
import type { TrainArgs, TrainResult } from './train-args.ts';
import { TrainingRun } from './training-run.ts';

export type { Listener } from './listener.ts';
export type { TrainArgs, TrainResult } from './train-args.ts';

/** Times the GPU may be lost without a new checkpoint in between. */
const ATTEMPTS = 3;
/** A driver that was reset needs a moment; longer each time. */
const PAUSE_MS = 1000;

/** Better found before days of training than after; links are not written through. */
const OUTPUTS = {
  'run.lock': 'file',
  'log.jsonl': 'file',
  checkpoints: 'folder',
  adapter: 'folder',
  'adapter/adapter.safetensors': 'file',
  'adapter/adapter_config.json': 'file',
} as const;

/** In the first line of what a run replaces, when it is a run's; a crash may have left a few characters only. */
const MARKS = {
  'log.jsonl': /^\{"type":"|^.{0,8}$/s,
  'adapter/adapter_config.json': /"mos-adapter"/,
};

/** What tests replace to make things go wrong. */
export interface TrainHooks {
  openBase: typeof openBase;
  files: Files;
  pause: (milliseconds: number) => Promise<void>;
  /** Least time a step may take, seconds. */
  stepSeconds: number;
}

const HOOKS: TrainHooks = {
  openBase,
  files: realFiles,
  pause: milliseconds => new Promise(resolve => setTimeout(resolve, milliseconds)),
  stepSeconds: 120,
};

export async function train(
  args: TrainArgs,
  listener: Listener,
  replaced: Partial<TrainHooks> = {},
): Promise<TrainResult> {
  const hooks = { ...HOOKS, ...replaced };
  refuseOthers(args.out, OUTPUTS);
  refuseForeign(args.out);
  const lock = lockFolder(args.out);
  try {
    return await trainLocked(args, listener, hooks);
  } finally {
    lock.release();
  }
}

/** A file of somebody else's that has the name of one of ours by chance is not replaced. */
function refuseForeign(out: string): void {
  for (const [name, mark] of Object.entries(MARKS)) {
    const path = join(out, name);
    const head = existsSync(path) ? readHead(path, 256) : '';
    if (head !== '' && !mark.test(head))
      throw fault('unsafe-path', `\`${path}\` is in the way: it was not written by mos`);
  }
}

async function trainLocked(args: TrainArgs, listener: Listener, hooks: TrainHooks): Promise<TrainResult> {
  const checkpoints = new Checkpoints(args.out, hooks.files);
  let losses = 0;
  let reached = -1;
  let recovering: string | undefined;
  /** Before that, the checkpoints in the folder may be those of another run. */
  let begun = false;
  for (;;) {
    let base: Base | undefined;
    try {
      const options = { ...args, resume: args.resume || begun };
      // Forced, a run may go on with kernels that it was not begun with.
      const pinned = options.resume && !args.force ? checkpoints.newest()?.variants : undefined;
      base = await hooks.openBase(args.plan, listener.phase, {
        pinned,
        warn: listener.warn,
        ...(args.evaluate ? {} : { use: 'training' as const }),
      });
      const run = new TrainingRun(base, options, listener, { ...hooks, checkpoints, recovering });
      return await run.run(() => {
        begun = true;
        listener.event?.('begun', undefined);
      });
    } catch (thrown) {
      if (codeOf(thrown) === 'gpu-hung') {
        // Closing waits for the GPU, which will not answer; the process ends soon, and nothing may keep this from being told.
        base = undefined;
        throw thrown;
      }
      // Whatever was thrown, a device that failed is the reason for it.
      await base?.opened.settled();
      const error = base?.opened.failure() ?? thrown;
      if (!isLoss(error) || listener.stop.aborted) throw error;
      const [step = 0] = begun || args.resume ? checkpoints.steps() : [];
      losses = step > reached ? 1 : losses + 1;
      reached = step;
      recovering = error.diagnostics[0].message;
      if (losses > ATTEMPTS) throw givenUp(error, step);
      listener.warn(
        `${recovering}; opening it anew and going on from step ${step} (attempt ${losses} of ${ATTEMPTS})`,
      );
      listener.phase('waiting for the GPU to come back');
      await hooks.pause(PAUSE_MS * losses);
    } finally {
      base?.close();
    }
  }
}

function isLoss(error: unknown): error is Fault {
  return codeOf(error) === 'gpu-lost';
}

const codeOf = (error: unknown) => (error instanceof Fault ? error.diagnostics[0].code : undefined);

function givenUp(error: Fault, step: number): Fault {
  const [{ message, notes = [] }] = error.diagnostics;
  return fault('gpu-lost', `${message}, ${ATTEMPTS + 1} times without getting past step ${step}`, { notes });
}
