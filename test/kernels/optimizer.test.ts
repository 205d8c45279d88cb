import { expect, test } from 'bun:test';
import {
  BLOCK_FLOATS,
  gradientControl,
  KIND,
  type OptimizerState,
  optimizerStep as referenceStep,
} from '../../kernels/optimizer/reference.ts';
import { optimizerNormFinal, optimizerNormPartial, optimizerStep } from '../../kernels/optimizer/spec.ts';
import { type Data, gpuTest, relativeError, runKernel } from '../gpu/harness.ts';
import { expectClose, randomMatrix } from './numbers.ts';

const floats = (n: number) => new Float32Array(n);
const FREE = 3e38;

interface Group {
  lr: number;
  decay?: number;
  beta1?: number;
  beta2?: number;
  eps?: number;
  min?: number;
  max?: number;
  kind: number;
}

/** The table as the host writes it at step t (from 1): bias corrections in float64, everything stored as f32. */
function tableOf(groups: readonly Group[], t: number): Float32Array {
  return Float32Array.from(
    groups.flatMap(
      ({ lr, decay = 0, beta1 = 0.9, beta2 = 0.999, eps = 1e-8, min = -FREE, max = FREE, kind }) => [
        lr,
        decay,
        beta1,
        beta2,
        eps,
        1 / (1 - beta1 ** t),
        1 / (1 - beta2 ** t),
        min,
        max,
        kind,
        0,
        0,
      ],
    ),
  );
}

const TRAINED: Group[] = [{ lr: 1, kind: KIND.adamw }];

async function control(
  grads: Float32Array,
  PARTIALS: number,
  MAX_NORM: number,
  groups = TRAINED,
  groupOfBlock = new Uint32Array(grads.length / BLOCK_FLOATS),
  unscale = 1,
): Promise<Float32Array> {
  const { partial } = await runKernel(
    optimizerNormPartial,
    { COUNT: grads.length, PARTIALS },
    { grads, group_of_block: groupOfBlock, groups: tableOf(groups, 1), partial: floats(2 * PARTIALS) },
    { workgroups: [PARTIALS] },
  );
  const final = await runKernel(
    optimizerNormFinal,
    { PARTIALS, MAX_NORM },
    { partial, control: floats(4) },
    { frame: { loss_scale: unscale }, workgroups: [1] },
  );
  return final.control as Float32Array;
}

function step(state: Record<'params' | 'moment1' | 'moment2', Data>, others: Record<string, Data>, fold = 1) {
  const COUNT = state.params.length;
  const groups = Math.ceil(COUNT / 256);
  return runKernel(
    optimizerStep,
    { COUNT },
    { ...state, ...others },
    { workgroups: [Math.ceil(groups / fold), fold] },
  );
}

test('the reference is AdamW as torch does it', () => {
  // torch 2: p=1, g=0.5, lr=0.1, weight_decay=0.1, two steps by hand.
  const state = { params: Float64Array.of(1), moment1: new Float64Array(1), moment2: new Float64Array(1) };
  const group = (t: number) => [
    0.1,
    0.1,
    0.9,
    0.999,
    1e-8,
    1 / (1 - 0.9 ** t),
    1 / (1 - 0.999 ** t),
    -9,
    9,
    KIND.adamw,
    0,
    0,
  ];
  referenceStep(state, [0.5], [0], group(1), [1, 1, 0, 0]);
  expect(state.params[0]).toBeCloseTo(0.99 - 0.1 * (0.5 / (0.5 + 1e-8)), 12);
  referenceStep(state, [-0.5], [0], group(2), [1, 1, 0, 0]);
  const m = (0.9 * 0.05 - 0.05) / (1 - 0.81);
  expect(state.params[0]).toBeCloseTo(0.89 * 0.99 - (0.1 * m) / (0.5 + 1e-8), 8);
});

gpuTest('gradient norm and clip factor', async () => {
  for (const [COUNT, PARTIALS, maxNorm, scale] of [
    [16, 1, 1, 1],
    [4096 + 16, 7, 0.5, 1e-3],
    [48, 64, 0, 1e8],
    [1600, 3, 1e9, 1e-12],
  ]) {
    const grads = randomMatrix(COUNT, 1, COUNT, COUNT, scale);
    const got = await control(grads, PARTIALS, maxNorm);
    const want = gradientControl(grads, maxNorm);
    expectClose(`norm of ${COUNT} in ${PARTIALS}`, [got[0]], [want[0]]);
    expectClose('clip factor', [got[1]], [want[1]]);
    expect([got[2], got[3]]).toEqual([0, 0]);
  }
  expect(Array.from(await control(floats(32), 2, 1))).toEqual([0, 1, 0, 0]);
  // With the loss scaled by 1024, and that undone: the same norm, and a factor that takes 1024 away.
  const grads = randomMatrix(76, 1, 48);
  const [norm, factor] = await control(grads, 2, 0.5);
  const scaled = await control(
    grads.map(g => 1024 * g),
    2,
    0.5,
    TRAINED,
    new Uint32Array(3),
    1 / 1024,
  );
  expect(Array.from(scaled)).toEqual([norm, factor / 1024, 0, 0]);
});

gpuTest('frozen groups have no part in the norm, whatever their gradients are', async () => {
  const groups: Group[] = [...TRAINED, { lr: 1, kind: KIND.frozen }, { lr: 1, kind: KIND.sgd }];
  const groupOfBlock = Uint32Array.from({ length: 30 }, (_, i) => (i * 5) % 3);
  const grads = randomMatrix(75, 1, 30 * BLOCK_FLOATS);
  const trained = grads.filter((_, i) => groupOfBlock[Math.floor(i / BLOCK_FLOATS)] !== 1);
  const frozen = groupOfBlock.indexOf(1) * BLOCK_FLOATS;
  grads.set([Number.NaN, Number.POSITIVE_INFINITY, 1e30], frozen);
  const got = await control(grads, 3, 1, groups, groupOfBlock);
  expectClose('norm of trained groups', [got[0]], [gradientControl(trained, 1)[0]]);
  expect(got[2]).toBe(0);
});

gpuTest('unusable gradients are counted by their bits and stop the step', async () => {
  const COUNT = 160;
  const bits = (grads: Float32Array) => new Uint32Array(grads.buffer);
  const cases: [string, number, number][] = [
    ['NaN', 0x7fc00000, 1],
    ['signalling NaN', 0x7f800001, 1],
    ['negative NaN', 0xffffffff, 1],
    ['infinity', 0x7f800000, 1],
    ['minus infinity', 0xff800000, 1],
    ['3e38, whose square overflows', 0x7f61b1e6, 1],
    ['smallest subnormal', 0x00000001, 0],
    ['1e12', 0x5368d4a5, 0],
  ];
  for (const [what, word, bad] of cases) {
    for (const place of [0, 77, COUNT - 1]) {
      const grads = randomMatrix(81, 1, COUNT);
      bits(grads)[place] = word;
      const got = await control(grads, 3, 1);
      expect([what, got[2]]).toEqual([what, bad]);
      expect(relativeError([got[0]], [gradientControl(grads, 1)[0]])).toBeLessThan(1e-5);
    }
  }
  const grads = randomMatrix(82, 1, COUNT).fill(Number.NaN);
  const state = {
    params: randomMatrix(83, 1, COUNT),
    moment1: randomMatrix(84, 1, COUNT),
    moment2: floats(COUNT).fill(1),
  };
  const rest = {
    grads,
    group_of_block: new Uint32Array(10),
    groups: tableOf([{ lr: 1, kind: KIND.adamw }], 1),
  };
  const stopped = [await control(grads, 3, 1)];
  expect(stopped[0][2]).toBe(COUNT);
  stopped.push(Float32Array.of(Number.POSITIVE_INFINITY, 0, 0, 0), Float32Array.of(Number.NaN, 1, 0, 0));
  for (const skip of stopped) expect(await step(state, { ...rest, control: skip })).toEqual(state);
});

gpuTest('20 steps of groups: AdamW with decay, clamped, frozen, SGD, against float64', async () => {
  const groups: Group[] = [
    { lr: 1e-2, decay: 0.1, kind: KIND.adamw },
    { lr: 0.5, kind: KIND.frozen, min: 0, max: 0 },
    { lr: 3e-2, kind: KIND.adamw, min: -0.25, max: 0.25 },
    { lr: 0.1, decay: 0.05, kind: KIND.sgd },
    { lr: 1e-3, beta1: 0.8, beta2: 0.95, eps: 1e-4, decay: 0.01, kind: KIND.adamw },
  ];
  const COUNT = 1040;
  const groupOfBlock = Uint32Array.from({ length: COUNT / BLOCK_FLOATS }, (_, i) => (i * 7) % groups.length);
  const start = randomMatrix(91, 1, COUNT);
  let state: Record<'params' | 'moment1' | 'moment2', Data> = {
    params: start,
    moment1: floats(COUNT),
    moment2: floats(COUNT),
  };
  const truth: OptimizerState = {
    params: Float64Array.from(start),
    moment1: new Float64Array(COUNT),
    moment2: new Float64Array(COUNT),
  };
  for (let t = 1; t <= 20; t++) {
    const grads = randomMatrix(100 + t, 1, COUNT, COUNT, t % 2 ? 1 : 1e-4);
    grads.fill(0, 0, 8);
    const table = tableOf(groups, t);
    const clip = Float32Array.from(gradientControl(grads, 2));
    const rest = { grads, group_of_block: groupOfBlock, groups: table, control: clip };
    state = (await step(state, rest, t % 2 ? 1 : 2)) as typeof state;
    referenceStep(truth, grads, groupOfBlock, table, clip);
  }
  expectClose('parameters after 20 steps', state.params, truth.params);
  expectClose('first moments', state.moment1, truth.moment1);
  expectClose('second moments', state.moment2, truth.moment2);
  const groupOf = (i: number) => groupOfBlock[Math.floor(i / BLOCK_FLOATS)];
  for (let i = 0; i < COUNT; i++) {
    if (groupOf(i) === 1)
      expect([state.params[i], state.moment1[i], state.moment2[i]]).toEqual([start[i], 0, 0]);
    if (groupOf(i) === 2) expect(Math.abs(state.params[i])).toBeLessThanOrEqual(0.25);
  }
});
