import { defineCommand } from '../command.ts';
import { PROGRAM_OPTIONS } from '../program.ts';
import { printFromWorker } from '../supervise.ts';
import type { ProfileResult } from '../tasks/profile.ts';

export const profile = defineCommand({
  name: 'profile',
  summary: 'time every kernel of a training step',
  usage: 'FILE.mos|PLAN [options]',
  about:
    'Runs a few steps on the largest batch of the plan, then every dispatch of one by itself, timed by the GPU where it can. ' +
    'Prints the time by kernel and writes OUT/profile.svg, a picture of program, layer, module and kernel with the lines ' +
    'they come from, and OUT/profile.json. Trains nothing.',
  examples: ['mos profile examples/tiny.mos', 'mos profile runs/tiny/tiny.mosplan --json'],
  options: { ...PROGRAM_OPTIONS },
  positionals: [1, 1],
  async run({ values, positionals, terminal }) {
    const { planFor } = await import('../program.ts');
    const { folder, out } = planFor(positionals[0], { ...values, use: 'training' }, terminal);
    return printFromWorker('profile', { plan: folder, out }, terminal, asText);
  },
});

function asText(r: ProfileResult): string {
  const width = Math.max(...r.kernels.map(k => k.kernel.length)) + 2;
  const row = (kernel: string, ...columns: string[]) =>
    kernel.padEnd(width) + columns.map(text => text.padStart(11)).join('');
  const how =
    r.method === 'timestamps' ? 'timestamps of the GPU' : 'one submit per dispatch: no timestamps here';
  return [
    row('kernel', 'dispatches', 'ms', '%', 'GFLOP/s', 'GB/s'),
    ...r.kernels.map(k =>
      row(
        k.kernel,
        String(k.dispatches),
        k.milliseconds.toFixed(3),
        (100 * k.share).toFixed(1),
        k.gflops.toPrecision(3),
        k.gigabytes.toPrecision(3),
      ),
    ),
    row('all', String(r.dispatches), r.milliseconds.toFixed(3), '100.0'),
    '',
    `${r.device}, ${r.tokens} tokens, ${how}`,
    `whole step ${r.step.toFixed(1)} ms (median), processor time ${r.host.toFixed(1)} ms`,
    `picture: ${r.picture}`,
  ].join('\n');
}
