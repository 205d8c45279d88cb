/**
 * Row 3: what a dispatch costs before it computes anything: the empty one, its recording, and what it would cost to build
 * pipelines, bind groups and buffers anew for a step instead of replaying them.
 */
import { openDevice } from '../src/gpu/device.ts';
import { symbolsFor } from '../src/run/measure.ts';
import { Executor } from '../src/runtime/executor.ts';
import { lastVariant } from '../src/runtime/pipelines.ts';
import { mixture, planOf, SMALL, shapeOf, weightsOf } from './models.ts';
import type { Bench, Outcome, Row } from './row.ts';
import { clock, interleave, show, spread } from './timing.ts';

const EMPTY = 1000;

async function emptyDispatches(bench: Bench): Promise<{ record: number[]; run: number[] }> {
  const opened = await openDevice();
  const { device } = opened;
  try {
    const module = device.createShaderModule({ code: '@compute @workgroup_size(1) fn main() {}' });
    const pipeline = device.createComputePipeline({ layout: 'auto', compute: { module } });
    const record: number[] = [];
    const run: number[] = [];
    for (let i = 0; i < bench.samples(15) + 1; i++) {
      const started = performance.now();
      const encoder = device.createCommandEncoder();
      const pass = encoder.beginComputePass();
      pass.setPipeline(pipeline);
      for (let j = 0; j < EMPTY; j++) pass.dispatchWorkgroups(1);
      pass.end();
      const commands = encoder.finish();
      const recorded = performance.now();
      device.queue.submit([commands]);
      await device.queue.onSubmittedWorkDone();
      // the first one warms up
      if (i === 0) continue;
      record.push((1000 * (recorded - started)) / EMPTY);
      run.push((1000 * (performance.now() - recorded)) / EMPTY);
    }
    return { record, run };
  } finally {
    opened.close();
  }
}

export const row: Row = {
  number: 3,
  title: 'Dispatches',
  async run(bench): Promise<Outcome> {
    const empty = await emptyDispatches(bench);
    const compiled = planOf(shapeOf(SMALL), { adapter: mixture(8, 'stereo'), batch: 1, length: 16 });
    const { plan, files } = compiled;
    const tensors = weightsOf(plan);
    const executor = await bench.executor(compiled, tensors);
    const symbols = symbolsFor(plan, 'forward');
    await executor.prepare('forward');
    const dispatches = plan.programs.forward.length;
    const { device } = executor.opened;
    const record = async (from: Executor) => {
      const encoder = device.createCommandEncoder();
      const pass = encoder.beginComputePass();
      for (const dispatch of plan.programs.forward) from.record(pass, await from.bind(dispatch), symbols);
      pass.end();
      encoder.finish();
    };
    const bound = await Promise.all(plan.programs.forward.map(d => executor.bind(d)));
    const perDispatch = (ms: number) => (1000 * ms) / dispatches;
    const times = await interleave(
      {
        replayed: async () => {
          const started = performance.now();
          const encoder = device.createCommandEncoder();
          const pass = encoder.beginComputePass();
          for (const one of bound) executor.record(pass, one, symbols);
          pass.end();
          encoder.finish();
          return perDispatch(performance.now() - started);
        },
        bound: async () => perDispatch(await clock(() => record(executor))),
      },
      bench.samples(15),
    );
    const rebuilt = await clock(async () => {
      const fresh = await Executor.open(plan, files, executor.opened, tensors, {
        use: 'training',
        choose: lastVariant(!bench.software, true),
      });
      await record(fresh);
      fresh.close();
    });
    return {
      tables: [
        {
          title: `Microseconds a dispatch: ${EMPTY} empty ones, then the ${dispatches} of a forward pass`,
          head: ['', 'µs'],
          rows: [
            ['recording an empty dispatch', show(spread(empty.record))],
            ['running an empty dispatch', show(spread(empty.run))],
            ['recording a step: replayed, as training does', show(spread(times.replayed))],
            ['recording a step with new bind groups', show(spread(times.bound))],
            [
              'recording a step with new buffers, pipelines and weights, once',
              perDispatch(rebuilt).toFixed(0),
            ],
          ],
        },
      ],
    };
  },
};
