/** A long training holds no more at its end than at its start, and its steps take no longer. */
import { expect } from 'bun:test';
import { openBase } from '../../src/run/base.ts';
import type { Executor } from '../../src/runtime/executor.ts';
import { gpuTest } from '../gpu/harness.ts';
import { EIGHT, tiny, trial } from './rig.ts';
import { NIGHTLY } from './table.ts';

const STEPS = NIGHTLY ? 3000 : 120;
/** By then every pipeline, buffer and read-back exists. */
const WARM = NIGHTLY ? 300 : 60;
/** A short run sees the allocator settle; a leak of one small buffer a step shows in the long one. */
const ALLOWED = (NIGHTLY ? 24 : 64) * 2 ** 20;

const median = (values: number[]) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];

gpuTest(
  `${STEPS} steps with validations and checkpoints: process memory and the ledger of buffers stay flat`,
  async () => {
    const run = tiny({ ...EIGHT, train: `steps: ${STEPS}; validate: 20; checkpoint: 10; accumulate: 2` });
    let executor: Executor | undefined;
    const seen: { step: number; memory: number; buffers: number }[] = [];
    const seconds: number[] = [];
    await trial(run, {
      hooks: {
        openBase: async (folder, phase) => {
          const base = await openBase(folder, phase);
          executor = base.executor;
          return base;
        },
      },
      listen: {
        step: event => void seconds.push(event.seconds),
        progress({ step }) {
          if (step !== WARM && step !== STEPS) return;
          Bun.gc(true);
          seen.push({ step, memory: process.memoryUsage.rss(), buffers: executor!.counters.buffers });
        },
      },
    });
    const [early, late] = seen;
    expect([early.step, late.step]).toEqual([WARM, STEPS]);
    expect(late.buffers).toBe(early.buffers);
    expect(late.memory - early.memory).toBeLessThan(ALLOWED);
    expect(executor!.unfinished()).toEqual([]);
    // Other work on the machine makes steps slow, so what they take is told and not tested.
    const times = [seconds.slice(WARM, 2 * WARM), seconds.slice(-WARM)].map(
      s => `${(1000 * median(s)).toFixed(0)} ms`,
    );
    process.stdout.write(
      `${STEPS} steps: ${((late.memory - early.memory) / 2 ** 20).toFixed(1)} MiB more from step ${WARM} on, ` +
        `${late.buffers} buffers throughout, median step ${times[0]} early and ${times[1]} at the end\n`,
    );
  },
  NIGHTLY ? 3_600_000 : 240_000,
);
