/**
 * Row 10: from nothing to the first step, on the tiny base, and how long compiling a plan of 28 layers takes. Dawn's Node
 * bindings offer no cache of pipelines across processes; within one, a second device shows what is kept.
 */
import { join } from 'node:path';
import { pack } from '../src/data/batches.ts';
import { openDevice } from '../src/gpu/device.ts';
import { openCheckpoint } from '../src/model/checkpoint.ts';
import { initialParameters } from '../src/runtime/parameters.ts';
import { Session } from '../src/runtime/session.ts';
import { mixture, planOf, QWEN_1_5B, shapeOf, tokenRows } from './models.ts';
import type { Bench, Outcome, Row } from './row.ts';
import { clock, show, spread } from './timing.ts';

const TINY = join(import.meta.dirname, '..', 'examples', 'models', 'tiny-qwen2');
const TRAINING = ['refresh', 'forward', 'backward', 'optimizer'];

async function start(bench: Bench): Promise<Record<string, number>> {
  const checkpoint = openCheckpoint(TINY);
  try {
    const { shape } = checkpoint;
    const times: Record<string, number> = {};
    const compiled = planOf(shape, { adapter: mixture(8, 'stereo'), batch: 1, length: 64 });
    times['compile the program'] = await clock(() =>
      planOf(shape, { adapter: mixture(8, 'stereo'), batch: 1, length: 64 }),
    );
    times['open the device, with its self-test'] = await clock(async () => (await openDevice()).close());
    const opened = await bench.device(compiled.plan);
    const tensors = async (name: string, range?: { from: number; count: number }) =>
      checkpoint.readF32(name, range);
    let session!: Session;
    times['make buffers, load weights'] = await clock(async () => {
      session = new Session(await bench.executor(compiled, tensors, { opened }));
    });
    session.start(initialParameters(compiled.plan, 0));
    times[`compile ${compiled.plan.kernels.length} kernels`] = await clock(() =>
      session.executor.prepare(...TRAINING),
    );
    const ids = Int32Array.from(tokenRows(1, 64, shape.vocabulary)[0]);
    const batch = pack([{ ids, labels: ids }]);
    times['first step'] = await clock(() => session.step([batch], 1, 0, 0));
    times['second step'] = await clock(() => session.step([batch], 1, 1, 0));
    return times;
  } finally {
    checkpoint.close();
  }
}

export const row: Row = {
  number: 10,
  title: 'Cold start',
  async run(bench): Promise<Outcome> {
    const first = await start(bench);
    bench.closeRow();
    const again = await start(bench);
    const compiles: number[] = [];
    for (let i = 0; i < bench.samples(7); i++)
      compiles.push(
        await clock(() =>
          planOf(shapeOf(QWEN_1_5B), { adapter: mixture(8, 'stereo'), batch: 4, length: 512 }),
        ),
      );
    const large = spread(compiles);
    return {
      tables: [
        {
          title: 'Milliseconds to the first step of 64 tokens on the tiny base',
          head: ['', 'first time in a process', 'with a second device in the same process'],
          rows: Object.keys(first).map(name => [name, first[name].toFixed(0), again[name].toFixed(0)]),
        },
      ],
      targets: [
        {
          name: 'compile the plan of Qwen2-1.5B, 28 layers, ms',
          wanted: '< 1000',
          measured: show(large, 0),
          met: large.median < 1000,
        },
      ],
    };
  },
};
