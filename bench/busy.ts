/**
 * Row 7: how busy the GPU is during a step, and what the host does for it; and what a step of 28 layers would take of
 * dispatches and submits, counted in its plan.
 */

import { summarise } from '../compiler/summary.ts';
import { describe } from '../src/gpu/device.ts';
import { profileStep, TIMESTAMPS } from '../src/run/profile.ts';
import { lora, mixture, planOf, QWEN_1_5B, SMALL, shapeOf, weightsOf } from './models.ts';
import type { Outcome, Row } from './row.ts';

export const row: Row = {
  number: 7,
  title: 'Host and device',
  async run(bench): Promise<Outcome> {
    const [size, batch, length] = bench.software ? [SMALL, 1, 64] : [QWEN_1_5B, 4, 512];
    const compiled = planOf(shapeOf(size), { adapter: mixture(8, 'stereo'), batch, length });
    const opened = await bench.device(compiled.plan, [TIMESTAMPS]);
    const executor = await bench.executor(compiled, weightsOf(compiled.plan), { opened });
    const before = { ...executor.counters };
    const profile = await profileStep(executor, describe(opened.info), bench.note);
    const kernels = profile.dispatches.reduce((sum, d) => sum + d.milliseconds, 0);
    // one step to warm up, then three
    const steps = 4;
    const submits = (executor.counters.submits - before.submits) / steps;
    const busy = kernels / profile.step;
    const large = planOf(shapeOf(QWEN_1_5B), { adapter: mixture(8, 'stereo'), batch: 4, length: 512 });
    const flat = planOf(shapeOf(QWEN_1_5B), { adapter: lora(24), batch: 4, length: 512 });
    const dispatches = (plan: typeof large.plan) =>
      ['forward', 'backward'].reduce((sum, name) => sum + plan.programs[name].length, 0);
    const host = profile.host / profile.step;
    return {
      tables: [
        {
          title: `Step of ${profile.tokens} tokens; hidden ${size.hidden}, ${size.layers} layers; kernels timed by ${profile.method}`,
          head: ['', ''],
          rows: [
            ['whole step, ms', profile.step.toFixed(1)],
            ['kernels one by one, ms', kernels.toFixed(1)],
            [
              'GPU busy (kernels / step; beyond 100 %: a pass each costs more)',
              `${(100 * busy).toFixed(0)} %`,
            ],
            ['dispatches', profile.dispatches.length],
            ['submits of programs', submits],
            ['processor time, ms', profile.host.toFixed(1)],
          ],
        },
        {
          title: 'Dispatches of a micro-batch of Qwen2-1.5B, 28 layers, all seven linears',
          head: ['', 'forward and backward', 'once per step'],
          rows: [
            [
              'mixture 3 × 8, top-2',
              dispatches(large.plan),
              summarise(large.plan).step.dispatches - dispatches(large.plan),
            ],
            ['LoRA 24', dispatches(flat.plan), summarise(flat.plan).step.dispatches - dispatches(flat.plan)],
          ],
        },
      ],
      targets: [
        {
          name: 'dispatches of a micro-batch of 28 layers, mixture',
          wanted: '≤ 1000',
          measured: String(dispatches(large.plan)),
          met: dispatches(large.plan) <= 1000,
        },
        {
          name: 'submits of a step',
          wanted: bench.software ? 'half a second of work each' : '≤ 10',
          measured: String(submits),
          met: bench.software ? undefined : submits <= 10,
        },
        {
          name: 'processor time / time of a step',
          wanted: '≤ 10 % on a GPU',
          measured: bench.software ? 'the processor is the GPU' : `${(100 * host).toFixed(0)} %`,
          met: bench.software ? undefined : host <= 0.1,
        },
      ],
    };
  },
};
