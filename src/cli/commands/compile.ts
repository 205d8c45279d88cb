import { summaryText } from '../../inspect/summary-text.ts';
import { defineCommand } from '../command.ts';
import { PROGRAM_OPTIONS, SWEEP_OPTIONS } from '../program.ts';
import { EXIT } from '../supervise.ts';

export const compile = defineCommand({
  name: 'compile',
  summary: 'compile a program into a plan',
  usage: 'FILE.mos [options]',
  about:
    'Checks the program, fits it to the base model and writes OUT/NAME.mosplan: plan.json and the WGSL of every kernel. Needs no GPU. A file with a `sweep` becomes a plan per combination, each in OUT/VARIANT.',
  examples: [
    'mos compile examples/tiny.mos',
    'mos compile line.mos --model models/tiny-qwen2 --data train.jsonl',
  ],
  options: { ...PROGRAM_OPTIONS, ...SWEEP_OPTIONS },
  positionals: [1, 1],
  async run({ values, positionals, terminal }) {
    const [{ planFor }, { summarise }] = await Promise.all([
      import('../program.ts'),
      import('../../../compiler/summary.ts'),
    ]);
    const { compileSweep } = await import('../sweep.ts');
    const swept = compileSweep(positionals[0], values, terminal);
    if (swept !== undefined) return swept;
    const { plan, folder } = planFor(positionals[0], values, terminal);
    const summary = summarise(plan);
    if (terminal.json) terminal.outJson({ version: 1, plan: folder, ...summary });
    else terminal.out(`${summaryText(summary)}\n\nwritten to ${folder}`);
    return EXIT.ok;
  },
});
