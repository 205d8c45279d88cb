import { existsSync } from 'node:fs';
import { fault } from '../../report/fault.ts';
import { defineCommand, numberOption } from '../command.ts';
import { evaluatePublished, PROTOCOL_OPTIONS } from '../evaluation.ts';
import { PROGRAM_OPTIONS } from '../program.ts';
import { printFromWorker } from '../supervise.ts';
import type { EvalTaskResult } from '../tasks/eval.ts';

export const evaluate = defineCommand({
  name: 'eval',
  summary: 'measure accuracy of the base model and of an adapter',
  usage: 'FILE.mos|PLAN [--adapter DIR] [options]',
  about:
    'Runs the eval blocks with the adapters off, and on when there is an adapter: the one given, or the one `train` left in OUT. ' +
    'Answers are greedy; OUT gets one JSON line per question. ' +
    'With `--protocol`, a test set is evaluated as published work does (docs/evaluation.md); the same command again goes on ' +
    'where a run was stopped, and scores what is answered by another `--rule`.',
  examples: [
    'mos eval examples/tiny.mos',
    'mos eval runs/tiny/tiny.mosplan --adapter runs/tiny/adapter --json',
    'mos eval qwen.mos --protocol gsm8k --data gsm8k/test.json --prompt chatml --limit 100',
  ],
  options: {
    ...PROGRAM_OPTIONS,
    adapter: { type: 'string', value: 'DIR', about: 'adapter folder (default: OUT/adapter, if it is there)' },
    only: { type: 'string', value: 'NAME', multiple: true, about: 'run only the eval block of this name' },
    limit: { type: 'string', value: 'N', about: 'first N questions of each block' },
    ...PROTOCOL_OPTIONS,
  },
  positionals: [1, 1],
  async run({ values, positionals, terminal }) {
    if (values.protocol !== undefined) return evaluatePublished(positionals[0], values, terminal);
    const alone = Object.keys(PROTOCOL_OPTIONS).find(name => values[name as keyof typeof PROTOCOL_OPTIONS]);
    if (alone) throw fault('bad-argument', `\`--${alone}\` needs \`--protocol NAME\``);
    const limit = numberOption('limit', values.limit, { integer: true, min: 1 });
    const { adapterFolder, planFor } = await import('../program.ts');
    const { folder, out, plan } = planFor(positionals[0], { ...values, use: 'generation' }, terminal);
    if (values.adapter && !existsSync(values.adapter))
      throw fault('file-not-found', `there is no adapter folder \`${values.adapter}\``);
    const names = plan.evals.map(e => e.name);
    const unknown = values.only?.find(name => !names.includes(name));
    if (unknown)
      throw fault('bad-argument', `there is no eval block \`${unknown}\``, {
        help: `there are: ${names.join(', ') || 'none'}`,
      });
    if (names.length === 0) throw fault('no-evaluation', `\`${positionals[0]}\` has no eval block`);
    const trained = adapterFolder(out);
    const adapter = values.adapter ?? (existsSync(trained) ? trained : undefined);
    return printFromWorker(
      'eval',
      { plan: folder, out, adapter, only: values.only ?? names, limit },
      terminal,
      asText,
    );
  },
});

function asText({ evaluations, answers }: EvalTaskResult): string {
  const line = ({ name, adapter, score: s }: EvalTaskResult['evaluations'][number]) =>
    `${name.padEnd(12)} ${(adapter ? 'adapter' : 'base').padEnd(8)} ${`${s.correct}/${s.total}`.padStart(9)}  ${(100 * s.accuracy).toFixed(1).padStart(5)} %  95 % interval ${(100 * s.low).toFixed(1)} to ${(100 * s.high).toFixed(1)} %`;
  return [...evaluations.map(line), `answers in ${answers}`].join('\n');
}
