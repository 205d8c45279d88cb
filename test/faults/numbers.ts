/** Faults 54 to 57: numbers that are no numbers, or nearly so. */
import { expect } from 'bun:test';
import { join } from 'node:path';
import { drop, lift } from '../../kernels/gains/maps.ts';
import { Checkpoints } from '../../src/run/checkpoint.ts';
import { type Behaviour, fakeBase } from './fake.ts';
import { codeOf, faultOf, newFolder, rowsOf, tiny, trial } from './rig.ts';
import { cannotHappen, fault } from './table.ts';

/** A base whose gradient has a bad number at some steps. */
function poisoned(isBad: (step: number) => boolean, value: number) {
  const behaviour: Behaviour = {};
  const base = fakeBase(behaviour);
  behaviour.onRun = (programs, { step }) => {
    if (programs.includes('optimizer') && isBad(step)) base.last!.poke('grads', 7, value);
  };
  return base;
}

fault(
  54,
  'NaN or infinity in one gradient: the whole step is skipped; five in a row end the run',
  async () => {
    const run = tiny();
    for (const value of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
      const { result, out, told } = await trial(run, {
        hooks: { openBase: poisoned(step => step === 3 || step === 6, value) },
      });
      expect([result.steps, told.warnings.length]).toEqual([8, 2]);
      const skipped = rowsOf(out).filter(row => (row as { skipped?: boolean }).skipped);
      expect(skipped.map(row => (row as { step: number }).step)).toEqual([4, 7]);
      const { state, tensors } = new Checkpoints(out).load().snapshot!;
      expect([state.step, state.updates, state.skipped]).toEqual([8, 6, 2]);
      expect(Object.values(tensors).every(flat => flat.every(Number.isFinite))).toBe(true);
    }
    const message = await faultOf(() =>
      trial(run, { hooks: { openBase: poisoned(step => step >= 2, Number.NaN) } }),
    );
    expect(message).toContain('5 steps in a row');

    // The count goes on over a kill: three before, two after.
    const half = await trial(run, { steps: 5, hooks: { openBase: poisoned(step => step >= 2, Number.NaN) } });
    const resumed = {
      out: half.out,
      resume: true,
      hooks: { openBase: poisoned(step => step >= 2, Number.NaN) },
    };
    expect(await codeOf(() => trial(run, resumed))).toBe('not-finite-loss');
    // A parameter that is not finite is never saved.
    const broken: Behaviour = {};
    const base = fakeBase(broken);
    const { offset, name } = run.plan.parameters[0];
    broken.onRun = programs => {
      if (programs.includes('evaluate')) base.last!.poke('moment2', offset, Number.NaN);
    };
    const out = newFolder();
    const unsaved = await faultOf(() => trial(run, { out, hooks: { openBase: base } }));
    expect(unsaved).toBe(
      `not-finite-parameters: after step 2, the optimiser's moment2 of ${name} is not finite`,
    );
    expect(new Checkpoints(out).steps()).toEqual([]);
  },
);

cannotHappen(55, 'the scale of the loss falls to its floor', 'gradients are f32 and need no loss scaling');

fault(
  56,
  'lengths of 0 and 1e4, the edge of the ball, curvatures of ±1e-12: finite values and slopes',
  () => {
    for (const space of ['stereo', 'exp'] as const) {
      for (const curvature of [-1e-12, 1e-12, -1, 1, -4, 4, 0]) {
        for (const q of [0, 1e-30, 1e-8, 1 - 1e-7, 1, 1e4 ** 2]) {
          for (const { gain, bySquare, byCurvature } of [
            lift(space, curvature, q),
            drop(space, curvature, q),
          ]) {
            const finite = [gain, bySquare, byCurvature].every(Number.isFinite);
            expect([space, curvature, q, finite]).toEqual([space, curvature, q, true]);
          }
        }
      }
    }
  },
);

fault(57, 'subnormal numbers and -0 survive a checkpoint to the bit', async () => {
  const run = tiny();
  const { out } = await trial(run, { steps: 3 });
  const store = new Checkpoints(out);
  const { state, tensors } = store.load().snapshot!;
  tensors.params.set([-0, 1e-45, -1e-40, 1.17549435e-38]);
  store.save({ state: { ...state, step: 4 }, tensors });
  const again = store.load().snapshot!.tensors.params;
  expect(new Uint32Array(again.buffer)).toEqual(new Uint32Array(tensors.params.buffer));
  expect(store.pathOf(4)).toStartWith(join(out, 'checkpoints'));
});
