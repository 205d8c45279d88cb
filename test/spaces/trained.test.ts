/** Declared spaces over whole trainings: what sharing shares, and a curvature that changes its sign on the way. */
import { expect, test } from 'bun:test';
import { readFileSync } from 'node:fs';
import type { Plan } from '../../compiler/plan/schema.ts';
import { initialParameters } from '../../src/runtime/parameters.ts';
import { refresh } from '../../src/runtime/session.ts';
import { curvatureRanges } from '../../src/runtime/telemetry.ts';
import { gpuTest } from '../gpu/harness.ts';
import { batchOf, compileSmall, openSmall, type Rig } from '../run/small.ts';

const GNOMON = readFileSync(new URL('../../examples/spaces/gnomon.mos', import.meta.url), 'utf8');
const RATE = 'curvature: adam(lr=2e-2)';

const shared = (share: string) => ({
  train: RATE,
  adapters: `${GNOMON}
let bent = gnomon(k=learn(init=0.05${share}));
adapter q_proj, down_proj < rank: 4; experts: $bent * 2; router: soft >`,
});

const trained = (plan: Plan) => plan.parameters.filter(p => p.kind === 'parameter');

test('one learned number per expert, module, layer or program', () => {
  const count = (share: string) => trained(compileSmall(shared(share)).plan).length;
  // two layers, two modules each, two experts each
  expect([count(''), count(', share=module'), count(', share=layer'), count(', share=all')]).toEqual([
    8, 4, 2, 1,
  ]);
});

/** The stored parameter of every expert after some steps, in the order layer, module, expert. */
async function trainedValues({ plan, executor, session }: Rig, steps: number) {
  session.start(initialParameters(plan, 1));
  const losses: number[] = [];
  for (let step = 0; step < steps; step++) {
    losses.push((await session.step([batchOf(5, [9, 4, 12])], 1, step, 1)).loss);
  }
  await refresh(executor);
  const values = [...(await executor.readRanges('params', curvatureRanges(plan)))];
  return { losses, values };
}

gpuTest('experts that share a number have the same one after training, others have not', async () => {
  const distinct = async (share: string) => {
    const { values } = await trainedValues(await openSmall(shared(share)), 4);
    expect(values).toHaveLength(8);
    for (const k of values) expect(k).not.toBe(Math.fround(0.05));
    return { values, count: new Set(values).size };
  };
  const layer = await distinct(', share=layer');
  expect(layer.count).toBe(2);
  expect(new Set(layer.values.slice(0, 4)).size).toBe(1);
  const module = await distinct(', share=module');
  expect(module.count).toBe(4);
  expect(module.values.filter((_, i) => i % 2 === 0)).toEqual(module.values.filter((_, i) => i % 2 === 1));
});

gpuTest('a signed curvature crosses zero while it learns', async () => {
  const rig = await openSmall({
    train: RATE,
    adapters: `${GNOMON}
adapter q_proj, down_proj < rank: 4; experts: gnomon(k=learn(init=-0.03)), gnomon(k=learn(init=0.03)); router: soft >`,
  });
  const { losses, values } = await trainedValues(rig, 12);
  for (const loss of losses) expect(Number.isFinite(loss)).toBe(true);
  expect(losses.at(-1)!).toBeLessThan(losses[0]);
  const crossed = values.filter((k, i) => Math.sign(k) !== (i % 2 === 0 ? -1 : 1));
  expect(crossed.length).toBeGreaterThan(0);
  for (const k of values) expect(Number.isFinite(k)).toBe(true);
});
