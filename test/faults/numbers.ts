/** Faults 54 to 57: numbers that are no numbers, or nearly so. */
import { expect } from 'bun:test';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Plan } from '../../compiler/plan/schema.ts';
import { drop, lift } from '../../kernels/gains/maps.ts';
import type { Fault } from '../../src/report/fault.ts';
import { Checkpoints } from '../../src/run/checkpoint.ts';
import { nextScale } from '../../src/run/not-finite.ts';
import type { TinyOptions, TinyRun } from '../tiny-model.ts';
import { type Behaviour, fakeBase } from './fake.ts';
import { adapterOf, codeOf, EIGHT, faultOf, newFolder, rowsOf, tiny, trial } from './rig.ts';
import { fault } from './table.ts';

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

/** A run in which a kernel of the backward pass has a variant in f16. */
function halved(options: TinyOptions): TinyRun {
  const run = tiny(options);
  const path = join(run.planFolder, 'plan.json');
  const plan = JSON.parse(readFileSync(path, 'utf8')) as Plan;
  const { variants } = plan.programs.backward[0];
  variants.push({ ...variants[0], features: ['shader-f16'] });
  writeFileSync(path, JSON.stringify(plan));
  return run;
}

/** A base with f16 whose gradient overflows where the loss is scaled by more than `limit`. */
function overflowing(limit: number) {
  const behaviour: Behaviour = { half: true };
  const base = fakeBase(behaviour);
  behaviour.onRun = (programs, { lossScale }) => {
    if (programs.includes('optimizer') && 1 / lossScale > limit) base.last!.poke('grads', 7, Number.NaN);
  };
  return { openBase: base };
}

fault(
  55,
  'a gradient that overflows f16: the scale of the loss is halved and saved; bad steps at its floor end the run',
  async () => {
    const run = halved(EIGHT);
    const whole = await trial(run, { hooks: overflowing(2 ** 13) });
    expect(whole.told.warnings).toEqual(
      [15, 14, 13].map(
        (power, i) =>
          `step ${i + 1}: the gradient is not finite; the step was skipped, and the loss is scaled by ${2 ** power} from now on`,
      ),
    );
    const scales = rowsOf(whole.out).flatMap(row => (row as { loss_scale?: number }).loss_scale ?? []);
    expect(scales.map(Math.log2)).toEqual([16, 15, 14, 13, 13, 13, 13, 13]);
    const { state } = new Checkpoints(whole.out).load().snapshot!;
    expect(state).toMatchObject({
      lossScale: { scale: 2 ** 13, good: 5 },
      skipped: 3,
      skippedInRow: 0,
      updates: 5,
    });
    // Stopped while it falls, it goes on from there.
    const half = await trial(run, { steps: 2, hooks: overflowing(2 ** 13) });
    await trial(run, { out: half.out, resume: true, hooks: overflowing(2 ** 13) });
    expect([adapterOf(half.out), rowsOf(half.out)]).toEqual([adapterOf(whole.out), rowsOf(whole.out)]);

    // Sixteen times halved it is 1, and five bad steps more are too many.
    const long = halved({ ...EIGHT, train: 'steps: 40' });
    const error = await trial(long, { hooks: overflowing(0) }).catch((thrown: unknown) => thrown);
    expect((error as Fault).diagnostics[0]).toMatchObject({
      code: 'not-finite-loss',
      notes: [
        `first bad tensor: ${run.plan.parameters[0].name}`,
        expect.stringContaining('loss at step 21'),
        'the scale of the loss had fallen to its floor',
      ],
    });

    // Many good steps double it, up to a limit.
    let scale = { scale: 2 ** 15, good: 0 };
    for (let step = 0; step < 30_000; step++) scale = nextScale(scale, true);
    expect(scale.scale).toBe(2 ** 24);
    // Without f16 there is none.
    const plain = await trial(tiny());
    expect(new Checkpoints(plain.out).load().snapshot!.state.lossScale).toBeNull();
    expect(rowsOf(plain.out).some(row => Object.hasOwn(row as object, 'loss_scale'))).toBe(false);
  },
);

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
