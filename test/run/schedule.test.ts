/** Learning rates over the steps, and who trains at which: groups, their bounds, and what counts for clipping. */
import { describe, expect, test } from 'bun:test';
import type { Plan, PlanParameter, Training } from '../../compiler/plan/schema.ts';
import { extract } from '../../src/runtime/parameters.ts';
import { groupTable, scheduleFactor } from '../../src/runtime/schedule.ts';
import { gpuTest } from '../gpu/harness.ts';
import { batchOf, compileSmall, openCompiled, PLAIN, randomParameters } from './small.ts';

const schedule =
  (kind: Training['schedule']['kind'], warmup: number, floor: number, steps = 100) =>
  (step: number) =>
    scheduleFactor({ steps, schedule: { kind, warmup, floor } }, step);

describe('schedules', () => {
  test('warm up in a straight line, from the first step on above 0', () => {
    for (const kind of ['constant', 'linear', 'cosine'] as const) {
      const factor = schedule(kind, 0.1, 0);
      expect([0, 4, 9].map(factor)).toEqual([0.1, 0.5, 1]);
      expect(factor(10)).toBe(1);
    }
    expect(schedule('linear', 0, 0)(0)).toBe(1);
  });

  test('then stay, fall in a line, or fall along half a cosine', () => {
    expect([10, 50, 99].map(schedule('constant', 0.1, 0.5))).toEqual([1, 1, 1]);
    const linear = schedule('linear', 0.1, 0);
    expect(linear(55)).toBeCloseTo(0.5, 12);
    expect(linear(99)).toBeCloseTo(1 / 90, 12);
    const cosine = schedule('cosine', 0.1, 0);
    expect(cosine(55)).toBeCloseTo(0.5, 12);
    expect(cosine(32.5)).toBeCloseTo(0.5 + Math.SQRT1_2 / 2, 12);
    expect(cosine(40)).toBeGreaterThan(linear(40));
    expect(cosine(80)).toBeLessThan(linear(80));
  });

  test('end at the floor and stay there', () => {
    for (const kind of ['linear', 'cosine'] as const) {
      const factor = schedule(kind, 0.05, 0.2);
      expect(factor(100)).toBeCloseTo(0.2, 12);
      expect(factor(400)).toBeCloseTo(0.2, 12);
      const all = Array.from({ length: 95 }, (_, i) => factor(i + 5));
      expect(all.every((f, i) => f > 0.2 && f <= (all[i - 1] ?? 1))).toBe(true);
    }
  });

  test('any number of steps gives a number', () => {
    for (const kind of ['constant', 'linear', 'cosine'] as const)
      for (const steps of [1, 2, 3])
        for (const warmup of [0, 0.3, 1])
          for (let step = 0; step < steps; step++) {
            const factor = schedule(kind, warmup, 0, steps)(step);
            expect(factor).toBeGreaterThan(0);
            expect(factor).toBeLessThanOrEqual(1);
          }
  });
});

const BOUNDED = {
  adapters: PLAIN.adapters
    .replace('hyperbolic(c=learn(init=0.5))', 'hyperbolic(c=learn(init=0.5, min=0.4, max=0.6, lr=5))')
    .replace('k=learn', 'k=learn(init=0, min=-0.1, max=0.1)'),
};
const FIXED = { adapters: PLAIN.adapters.replace('c=learn(init=0.5)', 'c=0.5') };

const groupOf = (plan: Plan, kind: PlanParameter['kind'], part = '') =>
  plan.groups[plan.parameters.find(p => p.kind === kind && p.name.includes(part))!.group];

describe('groups', () => {
  test('cover the parameter buffer exactly, every parameter with its own', () => {
    for (const text of [
      PLAIN,
      BOUNDED,
      {
        adapters:
          'adapter all-linear < experts: hyperbolic, sphere(scale=learn), kappa(k=0.1); rank: 3; router: top2(on=rank) >',
      },
    ]) {
      const { plan } = compileSmall(text);
      const groups = plan.groupRuns.flatMap(([group, blocks]) => new Array<number>(blocks).fill(group));
      expect(groups.length * 64).toBe(plan.buffers.find(b => b.name === 'params')!.bytes);
      const owner = new Map<number, string>();
      for (const p of plan.parameters) {
        for (let r = 0; r < p.rows; r++)
          for (let c = 0; c < p.columns; c++) {
            const at = p.offset + r * p.ld + c;
            if (groups[at >> 4] !== p.group)
              throw new Error(`${p.name} has group ${p.group}, its block ${groups[at >> 4]}`);
            if (owner.has(at)) throw new Error(`${p.name} and ${owner.get(at)} share a number`);
            owner.set(at, p.name);
          }
      }
    }
  });

  test('have the rates, decays and bounds that were asked for', () => {
    const train =
      'router: 3e-3; curvature: sgd(lr=0.5); optimizer: adamw(beta1=0.8, beta2=0.95, eps=1e-6, decay=0.1)';
    const { plan } = compileSmall({ ...BOUNDED, train });
    const adamw = { kind: 'adamw', beta1: 0.8, beta2: 0.95, eps: 1e-6 } as const;
    expect(groupOf(plan, 'A')).toMatchObject({ ...adamw, lr: 1e-2, weightDecay: 0.1, min: null, max: null });
    expect(groupOf(plan, 'B')).toEqual(groupOf(plan, 'A'));
    expect(groupOf(plan, 'router')).toMatchObject({ ...adamw, lr: 3e-3, weightDecay: 0.1 });
    expect(groupOf(plan, 'scale')).toMatchObject({ kind: 'sgd', lr: 0.5, weightDecay: 0 });
    // c is stored as its logarithm, κ as itself; a rate of its own goes before that of all
    expect(groupOf(plan, 'curvature', 'q_proj.experts.0')).toMatchObject({
      kind: 'sgd',
      lr: 5,
      weightDecay: 0,
      min: Math.log(0.4),
      max: Math.log(0.6),
    });
    expect(groupOf(plan, 'curvature', 'q_proj.experts.1')).toMatchObject({
      kind: 'sgd',
      lr: 0.5,
      min: -0.1,
      max: 0.1,
    });
    expect(groupOf(compileSmall(FIXED).plan, 'curvature', 'q_proj.experts.0').kind).toBe('frozen');
  });

  test('as the optimiser reads them', () => {
    const { plan } = compileSmall(BOUNDED);
    const index = plan.groups.indexOf(groupOf(plan, 'curvature', 'q_proj.experts.0'));
    const row = groupTable(plan.groups, 0.5, 2).subarray(index * 12, index * 12 + 12);
    const expected = [
      2.5,
      0,
      0.9,
      0.999,
      1e-8,
      1 / (1 - 0.9 ** 3),
      1 / (1 - 0.999 ** 3),
      Math.log(0.4),
      Math.log(0.6),
      1,
      0,
      0,
    ];
    expect([...row]).toEqual(expected.map(Math.fround));
    expect(groupTable(plan.groups, 1, 0)[9]).toBe(0);
  });

  gpuTest('learned curvatures stay within their bounds, fixed ones where they are', async () => {
    const run = async (text: { adapters: string }) => {
      const { plan, session, executor } = await openCompiled(compileSmall(text));
      session.start(randomParameters(plan, 8));
      for (let step = 0; step < 3; step++) await session.step([batchOf(step, [9, 12])], 1, step, 1);
      const flat = await session.parameters();
      const values = plan.parameters
        .filter(p => p.kind === 'curvature')
        .map(p => ({ p, value: extract(flat, p)[0] }));
      executor.close();
      return { plan, values, start: randomParameters(plan, 8) };
    };
    const bounded = await run(BOUNDED);
    for (const { p, value } of bounded.values.filter(
      v => v.p.name.includes('experts.0') && !v.p.name.includes('math'),
    )) {
      // a rate of 5 leads to one bound or the other in one step
      const { min, max } = bounded.plan.groups[p.group];
      expect([Math.fround(min!), Math.fround(max!)]).toContain(value);
    }
    const fixed = await run(FIXED);
    const still = fixed.values.filter(({ p }) => fixed.plan.groups[p.group].kind === 'frozen');
    expect(still.length).toBe(6);
    for (const { p, value } of still) expect(value).toBe(fixed.start[p.offset]);
  });

  gpuTest('the norm for clipping is that of what is trained', async () => {
    const { plan, session, executor } = await openCompiled(compileSmall(FIXED));
    const flat = randomParameters(plan, 8);
    session.start(flat);
    const { norm } = await session.step([batchOf(1, [9, 12])], 0, 0, 1);
    const grads = await executor.read('grads', flat.length);
    const trained = plan.parameters
      .filter(p => plan.groups[p.group].kind !== 'frozen')
      .flatMap(p => [...extract(grads, p)]);
    expect(norm).toBeCloseTo(Math.sqrt(trained.reduce((sum, g) => sum + g * g, 0)), 5);
    executor.close();
  });
});
