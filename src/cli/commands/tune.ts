import { defineCommand } from '../command.ts';
import { PROGRAM_OPTIONS } from '../program.ts';
import { printFromWorker } from '../supervise.ts';
import type { TuneResult } from '../tasks/tune.ts';

const { out: _, ...PROGRAM } = PROGRAM_OPTIONS;

export const tune = defineCommand({
  name: 'tune',
  summary: 'measure which variant of each kernel is fastest here',
  usage: 'FILE.mos|PLAN [options]',
  about:
    'Compares the variants of every kernel with their reference, times those that agree, and writes the fastest into a ' +
    'file for this GPU and driver. Runs that begin after it use them; a resumed run keeps to what it was begun with.',
  examples: ['mos tune examples/tiny.mos', 'mos tune runs/tiny/tiny.mosplan --out tuning.json'],
  options: {
    ...PROGRAM,
    out: {
      type: 'string',
      short: 'o',
      value: 'FILE',
      about: 'write there, instead of into the cache where runs look for it',
    },
  },
  positionals: [1, 1],
  async run({ values: { out: file, ...values }, positionals, terminal }) {
    const { planFor } = await import('../program.ts');
    const { folder } = planFor(positionals[0], values, terminal);
    return printFromWorker('tune', { plan: folder, file }, terminal, asText);
  },
});

function asText({ device, results, file }: TuneResult): string {
  const width = Math.max(8, ...results.map(r => r.name.length)) + 2;
  return [
    `${'fastest'.padEnd(width)}${'ms'.padStart(9)}${'reference ms'.padStart(14)}  module`,
    ...results.map(
      ({ name, milliseconds, referenceMilliseconds, module, wrong }) =>
        name.padEnd(width) +
        milliseconds.toFixed(3).padStart(9) +
        referenceMilliseconds.toFixed(3).padStart(14) +
        `  ${module}${wrong.length > 0 ? ` (wrong: ${wrong.join(', ')})` : ''}`,
    ),
    '',
    `${device}: written to ${file}`,
  ].join('\n');
}
