import type { TrainResult } from '../../run/train.ts';
import { defineCommand, numberOption } from '../command.ts';
import type { Wanted } from '../memory.ts';
import { PROGRAM_OPTIONS, SWEEP_OPTIONS } from '../program.ts';
import { runInWorker } from '../supervise.ts';
import type { Terminal } from '../terminal.ts';

/** Times the worker may die or hang without a new checkpoint in between. */
const ATTEMPTS = 3;
/** What a fresh process may cure: the GPU library took the old one with it. */
const CURABLE = ['worker-died', 'worker-hung', 'gpu-hung'];

export const train = defineCommand({
  name: 'train',
  summary: 'train the adapters of a program or plan',
  usage: 'FILE.mos|PLAN [options]',
  about:
    'Compiles the program if need be and trains on the GPU. OUT gets log.jsonl (every step, with router telemetry), the plan, ' +
    'checkpoints/ and adapter/ with the trained tensors. Ctrl-C finishes the step and saves; `--resume` goes on from there, ' +
    'or from the last checkpoint after a crash, and ends with the very bytes of a run that was never interrupted. ' +
    'A file with a `sweep` is trained variant by variant; the same command again goes on with what is not finished.',
  examples: [
    'mos train examples/tiny.mos --eval',
    'mos train examples/tiny.mos --resume',
    'mos train runs/tiny/tiny.mosplan --steps 20 --out runs/try',
  ],
  options: {
    ...PROGRAM_OPTIONS,
    ...SWEEP_OPTIONS,
    again: { type: 'boolean', about: 'of a sweep, run finished variants again' },
    steps: {
      type: 'string',
      value: 'N',
      about: 'stop after N steps; the schedule stays that of the whole run',
    },
    eval: { type: 'boolean', about: 'run the eval blocks before and after' },
    resume: { type: 'boolean', about: 'go on from the last checkpoint in OUT' },
    force: { type: 'boolean', about: 'with --resume: also if program, data or base model changed' },
  },
  positionals: [1, 1],
  async run({ values, positionals, terminal }) {
    const steps = numberOption('steps', values.steps, { integer: true, min: 1 });
    const { outFolder, planFor } = await import('../program.ts');
    const { trainSweep } = await import('../sweep.ts');
    const how = {
      evaluate: values.eval ?? false,
      ...(steps === undefined ? {} : { steps }),
      train: runPatiently,
    };
    const swept = await trainSweep(positionals[0], values, terminal, how);
    if (swept !== undefined) return swept;
    const { checkUnlocked } = await import('../../host/lock.ts');
    // Before the plan in it is replaced; the worker takes the lock.
    checkUnlocked(outFolder(positionals[0], values));
    const use = values.eval ? 'both' : 'training';
    const { folder, out, wanted } = planFor(positionals[0], { ...values, use }, terminal, { data: true });
    const args = {
      plan: folder,
      out,
      evaluate: values.eval ?? false,
      force: values.force ?? false,
      ...(steps === undefined ? {} : { steps }),
    };
    const { code, result } = await runPatiently(args, values.resume ?? false, terminal, wanted);
    if (!result) return code;
    if (terminal.json) terminal.outJson({ version: 1, ...result });
    else terminal.out(asText(result));
    return code;
  },
});

/** Starts the worker again, from the last checkpoint, when it died or hung. */
async function runPatiently(
  args: { out: string },
  resume: boolean,
  terminal: Terminal,
  wanted?: () => Wanted,
): Promise<{ code: number; result?: TrainResult }> {
  const [{ Checkpoints }, { withAdvice }] = await Promise.all([
    import('../../run/checkpoint.ts'),
    import('../memory.ts'),
  ]);
  const checkpoints = new Checkpoints(args.out);
  let reached = -1;
  let failures = 0;
  for (;;) {
    let result: TrainResult | undefined;
    let again = false;
    const code = await runInWorker(
      'train',
      { ...args, resume },
      {
        terminal,
        result(value) {
          result = value as TrainResult;
        },
        // From then on the checkpoints in the folder are those of this run.
        event(name) {
          if (name === 'begun') resume = true;
        },
        explain: told => withAdvice(told, wanted),
        failed([{ code: found, message }]) {
          const [step = 0] = resume ? checkpoints.steps() : [];
          failures = step > reached ? 1 : failures + 1;
          reached = step;
          again = resume && CURABLE.includes(found) && failures <= ATTEMPTS;
          if (again)
            terminal.note(
              `warning: ${message}; going on from step ${step} in a new process (attempt ${failures} of ${ATTEMPTS})`,
            );
          return again;
        },
      },
    );
    if (!again) return { code, ...(result ? { result } : {}) };
  }
}

function asText({ adapter, steps, loss, seconds, evaluations, stopped, best, exact }: TrainResult): string {
  const percent = (accuracy: number) => `${(100 * accuracy).toFixed(1)} %`;
  const last = Number.isNaN(loss) ? '' : `, loss ${loss.toFixed(4)}`;
  return [
    `${stopped ? 'stopped' : 'trained'} after ${steps} steps in ${seconds.toFixed(0)} s${last}`,
    ...evaluations.map(
      ({ name, before, after }) =>
        `${name}: ${before.correct}/${before.total} (${percent(before.accuracy)}) before, ${after.correct}/${after.total} (${percent(after.accuracy)}) after`,
    ),
    ...(exact ? [] : ['this run is not exact: it was resumed with something changed']),
    `adapter${best === undefined ? '' : ` of step ${best}`} written to ${adapter}`,
    ...(stopped ? ['`--resume` goes on from here'] : []),
  ].join('\n');
}
