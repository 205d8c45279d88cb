/** Trainings in processes of their own that are killed without warning, and gone on with until they are at their end. */
import { expect } from 'bun:test';
import { join } from 'node:path';

import { faultyFiles } from './faulty-files.ts';
import { adapterOf, generator, newFolder, rowsOf, tiny, trial } from './rig.ts';

const CHILD = join(import.meta.dir, 'fixtures/train-child.ts');

/** Runs a child; `killAt`: number of the file call at which it kills itself. Resolves to whether it lived to the end. */
async function child(planFolder: string, out: string, killAt: number): Promise<boolean> {
  const process_ = Bun.spawn([process.execPath, CHILD, planFolder, out, String(killAt)], {
    stdout: 'ignore',
    stderr: 'inherit',
  });
  await process_.exited;
  if (process_.signalCode !== 'SIGKILL') expect(process_.exitCode).toBe(0);
  return process_.signalCode !== 'SIGKILL';
}

/** Kills at so many calls to the file system, spread over a whole training and the saves in it. */
export async function killedTraining(kills: number): Promise<void> {
  const run = tiny();
  const { files, calls } = faultyFiles();
  const whole = await trial(run, { hooks: { files } });
  const random = generator(58);
  // The first kills of each training fall anywhere; a resumed one has fewer calls left and is killed again if it can be.
  for (let done = 0; done < kills; ) {
    const out = newFolder();
    for (;;) {
      const at = done < kills ? Math.floor(random() * calls.length) : Number.POSITIVE_INFINITY;
      if (await child(run.planFolder, out, at)) break;
      done++;
    }
    expect(adapterOf(out)).toEqual(adapterOf(whole.out));
    expect(rowsOf(out)).toEqual(rowsOf(whole.out));
  }
}
