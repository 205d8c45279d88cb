/** The steady state of a training: what is made before its second step, and how much work a step and a submit are. */
import { describe, expect, test } from 'bun:test';
import { compile } from '../../compiler/index.ts';
import { check } from '../../dsl/index.ts';
import { parseConfig } from '../../src/model/config.ts';
import { Pace } from '../../src/runtime/pace.ts';
import { QWEN2 } from '../configs.ts';
import { gpuTest } from '../gpu/harness.ts';
import { batchOf, openSmall, PLAIN, randomParameters } from './small.ts';

gpuTest('after the second step nothing is made: no buffer, bind group or pipeline', async () => {
  const { plan, executor, session } = await openSmall(PLAIN);
  const batch = batchOf(1, [9, 12]);
  const made = () => {
    const { buffers, bindGroups, pipelines } = executor.counters;
    return { buffers, bindGroups, pipelines };
  };
  session.start(randomParameters(plan, 1));
  for (let step = 0; step < 2; step++) await session.step([batch], 1, step, 0);
  const before = made();
  const { dispatches } = executor.counters;
  for (let step = 2; step < 8; step++) await session.step([batch], 1, step, 0);
  expect(made()).toEqual(before);
  expect(executor.counters.dispatches).toBeGreaterThan(dispatches);
});

test('a micro-batch of 28 layers, all seven linears, three curved experts, is at most 1,000 dispatches', () => {
  const text = `model "m" < > data "d" < length: 512 > train < batch: 4 >
adapter all-linear < experts: hyperbolic(c=learn), sphere(c=learn), euclid; router: top2 >`;
  const { plan } = compile(check('large.mos', text).program!, parseConfig(QWEN2)).compiled!;
  expect(plan.programs.forward.length + plan.programs.backward.length).toBeLessThanOrEqual(1000);
});

describe('submits', () => {
  /** Operations of one submit after `count` of them on a device that does `rate` a second. */
  const settled = (software: boolean, rate: number, count = 20): number => {
    const pace = new Pace(software);
    let now = 0;
    for (let i = 0; i < count; i++) {
      const { flops } = pace;
      const started = now;
      now += (1000 * flops) / rate;
      pace.done(flops, started, now);
    }
    return pace.flops;
  };

  test.each([
    ['a slow processor', true, 3e8],
    ['an integrated GPU', false, 2e11],
    ['a fast GPU', false, 1e14],
  ])('hold half a second of work, whatever the device does: %s', (_, software, rate) => {
    expect(settled(software, rate)).toBeCloseTo(rate / 2, -3);
  });

  test('neither one measurement nor small submits say much', () => {
    const pace = new Pace(false);
    const { flops } = pace;
    pace.done(flops / 10, 0, 1000);
    expect(pace.flops).toBe(flops);
    pace.done(flops, 1000, 1000.01);
    expect(pace.flops).toBe(4 * flops);
  });

  test('time spent behind another submit does not count', () => {
    const pace = new Pace(false);
    const { flops } = pace;
    pace.done(flops, 0, 500);
    pace.done(flops, 0, 1000);
    expect(pace.flops).toBe(flops);
  });
});
