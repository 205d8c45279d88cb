import { defineCommand } from '../command.ts';
import { EXIT } from '../supervise.ts';

export const diff = defineCommand({
  name: 'diff',
  summary: 'say what differs between two plans',
  usage: 'PLAN|FILE.mos PLAN|FILE.mos [options]',
  about:
    'Adapters, training and data first, then parameters, programs, kernels and memory. Names of plans and places in `.mos` files ' +
    'are not compared. Exit code 0: the same, 1: different, as of `diff`.',
  examples: [
    'mos diff runs/a/a.mosplan runs/b/b.mosplan',
    'mos diff runs/tiny/tiny.mosplan examples/tiny.mos',
  ],
  options: {
    model: { type: 'string', value: 'DIR', about: 'base model, instead of the `model` block' },
    portable: { type: 'boolean', about: "compile for WebGPU's default limits" },
  },
  positionals: [2, 2],
  async run({ values, positionals, terminal }) {
    const [{ planOf }, { diffPlans }, { differencesText }] = await Promise.all([
      import('../target.ts'),
      import('../../inspect/diff.ts'),
      import('../../inspect/text.ts'),
    ]);
    const [before, after] = positionals.map(target => planOf(target, values, terminal).plan);
    const differences = diffPlans(before, after);
    const same = differences.length === 0;
    if (terminal.json) terminal.outJson({ version: 1, same, differences });
    else terminal.out(same ? 'the plans do the same' : differencesText(differences));
    return same ? EXIT.ok : EXIT.user;
  },
});
