/** Row 11: a thousand steps of a small training: whether time per step, memory or objects on the GPU grow. */
import { pack } from '../src/data/batches.ts';
import { bytesText } from '../src/report/units.ts';
import { mixture, planOf, shapeOf, tokenRows, weightsOf } from './models.ts';
import type { Outcome, Row } from './row.ts';
import { clock, show, spread } from './timing.ts';

const SIZE = { hidden: 32, intermediate: 64, layers: 2, heads: 2, kvHeads: 1, vocabulary: 64 };
/** Steps at each end that are compared. */
const END = 100;

export const row: Row = {
  number: 11,
  title: 'Drift over a thousand steps',
  async run(bench): Promise<Outcome> {
    const steps = bench.quick ? 250 : 1000;
    const shape = shapeOf(SIZE);
    const compiled = planOf(shape, { adapter: mixture(4, 'stereo'), batch: 1, length: 16 });
    const session = await bench.session(compiled, weightsOf(compiled.plan));
    const ids = Int32Array.from(tokenRows(1, 16, shape.vocabulary)[0]);
    const batch = pack([{ ids, labels: ids }]);
    const times: number[] = [];
    const memory = () => {
      Bun.gc(true);
      const { heapUsed, rss } = process.memoryUsage();
      const { buffers, bindGroups, pipelines } = session.executor.counters;
      return { heap: heapUsed, process: rss, buffers, bindGroups, pipelines };
    };
    let before!: ReturnType<typeof memory>;
    for (let step = 0; step < steps; step++) {
      if (step === END) before = memory();
      times.push(await clock(() => session.step([batch], 1, step, 0)));
    }
    const after = memory();
    // the first steps compile
    const early = spread(times.slice(5, END));
    const late = spread(times.slice(-END));
    const made = (['buffers', 'bindGroups', 'pipelines'] as const).map(name => after[name] - before[name]);
    return {
      tables: [
        {
          title: `${steps} steps of 16 tokens`,
          head: ['', `after ${END} steps`, `after ${steps}`],
          rows: [
            [`ms a step, ${END} of them`, show(early), show(late)],
            ['JavaScript heap', bytesText(before.heap), bytesText(after.heap)],
            ['process', bytesText(before.process), bytesText(after.process)],
            ['buffers, bind groups and pipelines made in between', '', made.join(', ')],
          ],
        },
      ],
      targets: [
        {
          name: 'buffers, bind groups and pipelines made in the steady state',
          wanted: '0',
          measured: made.join(', '),
          met: made.every(n => n === 0),
        },
        {
          name: `JavaScript heap after ${steps} steps / after ${END}`,
          wanted: '≤ 1.05',
          measured: (after.heap / before.heap).toFixed(3),
          met: after.heap <= 1.05 * before.heap,
        },
      ],
    };
  },
};
