import { fault } from '../../report/fault.ts';
import { defineCommand } from '../command.ts';
import { EXIT } from '../supervise.ts';

export const quantize = defineCommand({
  name: 'quantize',
  summary: 'store a base model in four or eight bits, ahead of its use',
  usage: 'MODEL --storage nf4|int4|int8 --out DIR',
  about:
    'Writes a model folder with the very numbers that `model "…" < dtype: nf4 >` computes on every load, so that loading is ' +
    'quick and the folder a fraction of the size. MODEL is a folder, or OWNER/NAME of a model in the cache. ' +
    'docs/models.md describes the files.',
  examples: ['mos quantize Qwen/Qwen2-1.5B --storage nf4 --out models/qwen2-1.5b-nf4'],
  options: {
    storage: { type: 'string', value: 'STORAGE', about: 'nf4, int4 or int8 (docs/precision.md)' },
    out: { type: 'string', short: 'o', value: 'DIR', about: 'a new folder' },
  },
  positionals: [1, 1],
  async run({ values, positionals, terminal }) {
    const [{ QUANTISED, quantiseModel }, { findModel, modelNotFound }, { openCheckpoint }] =
      await Promise.all([
        import('../../run/quantize.ts'),
        import('../../model/cache.ts'),
        import('../../model/checkpoint.ts'),
      ]);
    const storage = QUANTISED.find(name => name === values.storage);
    if (!storage)
      throw fault(
        'bad-argument',
        `\`--storage\` is one of ${QUANTISED.join(', ')}, not \`${values.storage ?? ''}\``,
      );
    if (!values.out) throw fault('bad-argument', '`mos quantize` needs `--out DIR`');
    const found = findModel(positionals[0]);
    if (!found) throw modelNotFound(positionals[0]);
    const checkpoint = openCheckpoint(found.folder);
    try {
      const result = quantiseModel(checkpoint, storage, values.out, (done, total) =>
        terminal.progress({
          label: 'million weights',
          step: Math.floor(done / 1e6),
          steps: Math.ceil(total / 1e6),
        }),
      );
      terminal.endProgress();
      const megabytes = (bytes: number) => `${(bytes / 1e6).toFixed(1)} MB`;
      if (terminal.json) terminal.outJson({ version: 1, storage, ...result });
      else
        terminal.out(
          `${megabytes(result.before)} became ${megabytes(result.after)} of ${storage}, written to ${result.folder}`,
        );
      return EXIT.ok;
    } finally {
      checkpoint.close();
    }
  },
});
