import type { Row } from '../../verify/report.ts';
import { defineCommand } from '../command.ts';
import { EXIT, runInWorker } from '../supervise.ts';

export const verify = defineCommand({
  name: 'verify',
  summary: 'compare this machine with reference arrays',
  usage: 'DIR [--models DIR]',
  about:
    'Runs every reference case in DIR (adapters/, models/, train/) on the GPU and prints the relative error of every tensor against ' +
    'float64. Exit code 1 when one is beyond its tolerance.',
  examples: ['mos verify test/golden --models examples/models'],
  options: {
    models: {
      type: 'string',
      value: 'DIR',
      about: 'folder of the base models that trainings name (default: examples/models)',
    },
  },
  positionals: [1, 1],
  async run({ values, positionals, terminal }) {
    let rows: Row[] = [];
    const code = await runInWorker(
      'verify',
      { folder: positionals[0], models: values.models ?? 'examples/models' },
      {
        terminal,
        result: v => {
          rows = v as Row[];
        },
      },
    );
    if (code !== EXIT.ok) return code;
    const { passes, table } = await import('../../verify/report.ts');
    const failed = rows.filter(row => !passes(row)).length;
    if (terminal.json) terminal.outJson({ version: 1, rows, failed });
    else terminal.out(`${table(rows)}\n${rows.length - failed} within tolerance, ${failed} beyond`);
    return failed > 0 ? EXIT.user : EXIT.ok;
  },
});
