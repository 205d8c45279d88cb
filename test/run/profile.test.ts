/** Where the time goes: what a profile adds up to, and the picture of it. */
import { expect, test } from 'bun:test';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openBase } from '../../src/run/base.ts';
import { byKernel, type Profile, profileStep, TIMESTAMPS, type Timed } from '../../src/run/profile.ts';
import { picture } from '../../src/run/profile-picture.ts';
import { gpuTest } from '../gpu/harness.ts';
import { writeTinyRun } from '../tiny-model.ts';

const timed = (program: string, kernel: string, module: string, milliseconds: number): Timed => ({
  program,
  kernel,
  module,
  place: 'a<b>.mos:3:1',
  milliseconds,
  flops: 4e6 * milliseconds,
  bytes: 2e6 * milliseconds,
});
const DISPATCHES = [
  timed('forward', 'linear.forward', 'model.layers.0.mlp.up_proj', 6),
  timed('forward', 'linear.forward', 'model.layers.1.mlp.up_proj', 2),
  timed('backward', 'linear.input_grad', 'model.layers.1.mlp.up_proj', 1),
  timed('optimizer', 'optimizer.step', 'all adapters', 1),
];

test('time by kernel: sums, shares and rates, most first', () => {
  const rows = byKernel(DISPATCHES);
  expect(rows.map(r => r.kernel)).toEqual(['linear.forward', 'linear.input_grad', 'optimizer.step']);
  expect(rows[0]).toEqual({
    kernel: 'linear.forward',
    dispatches: 2,
    milliseconds: 8,
    share: 0.8,
    gflops: 4,
    gigabytes: 2,
  });
});

test('the picture is whole, says where things come from, and lets nothing out of a name', () => {
  const profile: Profile = {
    device: 'Acme',
    method: 'submits',
    tokens: 8,
    step: 11,
    host: 1,
    dispatches: DISPATCHES,
  };
  const svg = picture(profile);
  expect(svg).toContain('layer 0');
  expect(svg).toContain('mlp.up_proj');
  expect(svg).toContain('a&lt;b&gt;.mos:3:1');
  expect(svg).not.toContain('<b>');
  expect(svg).toContain('one submit per dispatch');
  // Nothing from elsewhere: it opens as it is.
  expect(svg.replace('http://www.w3.org/2000/svg', '')).not.toMatch(/https?:|<script|href/);
  const boxes = [...svg.matchAll(/<rect x="([\d.]+)" y="\d+" width="([\d.]+)"/g)];
  for (const [, x, width] of boxes) expect(Number(x) + Number(width)).toBeLessThanOrEqual(1200.2);
});

gpuTest(
  'every dispatch of a step is timed, by the GPU and without it',
  async () => {
    const { planFolder, plan } = writeTinyRun(mkdtempSync(join(tmpdir(), 'mos-profile-')));
    const count = ['refresh', 'forward', 'backward', 'optimizer'].reduce(
      (n, p) => n + plan.programs[p].length,
      0,
    );
    const base = await openBase(planFolder, () => {}, { use: 'training', features: [TIMESTAMPS] });
    try {
      const exact = base.opened.device.features.has(TIMESTAMPS);
      for (const method of exact ? (['timestamps', 'submits'] as const) : (['submits'] as const)) {
        const profile = await profileStep(base.executor, 'here', () => {}, method);
        expect(profile.method).toBe(method);
        expect(profile.dispatches.length).toBe(count);
        expect(profile.dispatches.every(d => d.milliseconds >= 0)).toBe(true);
        expect(byKernel(profile.dispatches)[0].milliseconds).toBeGreaterThan(0);
        expect(profile.tokens).toBe(plan.training!.batch * plan.training!.length);
      }
    } finally {
      base.close();
    }
  },
  300_000,
);
