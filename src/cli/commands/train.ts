import type { TrainResult } from '../../run/train.ts';
import { defineCommand, numberOption } from '../command.ts';
import { PROGRAM_OPTIONS } from '../program.ts';
import { EXIT, runInWorker } from '../supervise.ts';

export const train = defineCommand({
  name: 'train',
  summary: 'train the adapters of a program or plan',
  usage: 'FILE.mos|PLAN [options]',
  about:
    'Compiles the program if need be and trains on the GPU. OUT gets log.jsonl (every step, with router telemetry), the plan, and adapter/ ' +
    'with the trained tensors. Ctrl-C finishes the step and saves.',
  examples: ['mos train examples/tiny.mos --eval', 'mos train runs/tiny/tiny.mosplan --steps 20 --out runs/try'],
  options: {
    ...PROGRAM_OPTIONS,
    steps: { type: 'string', value: 'N', about: 'stop after N steps; the schedule stays that of the whole run' },
    eval: { type: 'boolean', about: 'run the eval blocks before and after' },
  },
  positionals: [1, 1],
  async run({ values, positionals, terminal }) {
    const steps = numberOption('steps', values.steps, { integer: true, min: 1 });
    const { planFor } = await import('../program.ts');
    const { folder, out } = planFor(positionals[0], values, terminal, { data: true });
    let result: TrainResult | undefined;
    const code = await runInWorker(
      'train',
      { plan: folder, out, evaluate: values.eval ?? false, ...(steps === undefined ? {} : { steps }) },
      { terminal, result: value => void (result = value as TrainResult) },
    );
    if (!result) return code;
    if (terminal.json) terminal.outJson({ version: 1, ...result });
    else terminal.out(asText(result));
    return code === EXIT.ok ? EXIT.ok : code;
  },
});

function asText({ adapter, steps, loss, seconds, evaluations, stopped }: TrainResult): string {
  const percent = (accuracy: number) => `${(100 * accuracy).toFixed(1)} %`;
  return [
    `${stopped ? 'stopped' : 'trained'} after ${steps} steps in ${seconds.toFixed(0)} s, loss ${loss.toFixed(4)}`,
    ...evaluations.map(({ name, before, after }) =>
      `${name}: ${before.correct}/${before.total} (${percent(before.accuracy)}) before, ${after.correct}/${after.total} (${percent(after.accuracy)}) after`,
    ),
    `adapter written to ${adapter}`,
  ].join('\n');
}
