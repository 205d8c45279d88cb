/** Times every kernel of a training step, in the worker. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, softwareNotice } from '../../gpu/device.ts';
import { realFiles, replaceFile } from '../../host/files.ts';
import { openBase } from '../../run/base.ts';
import { byKernel, type KernelRow, type Profile, profileStep, TIMESTAMPS } from '../../run/profile.ts';
import { picture } from '../../run/profile-picture.ts';
import type { TaskContext } from '../tasks.ts';

export interface ProfileResult extends Omit<Profile, 'dispatches'> {
  kernels: KernelRow[];
  /** Milliseconds of all kernels together, and how many dispatches that were. */
  milliseconds: number;
  dispatches: number;
  picture: string;
  data: string;
}

/** Seconds that compiling and timing may take without a word. */
const PATIENCE = 1800;

export async function task(
  { plan, out }: { plan: string; out: string },
  context: TaskContext,
): Promise<ProfileResult> {
  const { phase, warn } = context;
  const base = await openBase(plan, phase, { use: 'training', features: [TIMESTAMPS], warn });
  try {
    const notice = softwareNotice(base.opened);
    if (notice) context.log(notice);
    const device = describe(base.opened.info);
    const profile = await profileStep(base.executor, device, name => phase(name, PATIENCE));
    mkdirSync(out, { recursive: true });
    const write = (name: string, text: string) => {
      const path = join(out, name);
      replaceFile(realFiles, path, [new TextEncoder().encode(text)]);
      return path;
    };
    const { dispatches, ...rest } = profile;
    return {
      ...rest,
      kernels: byKernel(dispatches),
      milliseconds: dispatches.reduce((sum, d) => sum + d.milliseconds, 0),
      dispatches: dispatches.length,
      picture: write('profile.svg', picture(profile)),
      data: write('profile.json', `${JSON.stringify({ version: 1, ...profile }, null, 1)}\n`),
    };
  } finally {
    base.close();
  }
}
