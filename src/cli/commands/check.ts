import { findModel } from '../../model/cache.ts';
import { fault } from '../../report/fault.ts';
import { defineCommand } from '../command.ts';
import { PROGRAM_OPTIONS } from '../program.ts';
import { EXIT } from '../supervise.ts';

export const check = defineCommand({
  name: 'check',
  summary: 'report what is wrong with programs, without compiling',
  usage: 'FILE.mos… [--format text|json|github]',
  about:
    'Checks the text of each file and, where its base model is at hand, that every adapter fits the model.',
  examples: ['mos check examples/tiny.mos', 'mos check examples/*.mos --format github'],
  options: {
    model: PROGRAM_OPTIONS.model,
    format: { type: 'string', value: 'FORMAT', about: 'text, json or github (annotations)' },
  },
  positionals: [1, 1000],
  async run({ values, positionals, terminal }) {
    const [{ checkFile, shapeOf }, { renderGithub, renderJson }, { select }, { checkSpaces }] =
      await Promise.all([
        import('../program.ts'),
        import('../../../dsl/index.ts'),
        import('../../../compiler/select.ts'),
        import('../../../compiler/spaces/check.ts'),
      ]);
    const format = values.format ?? (terminal.json ? 'json' : 'text');
    if (!['text', 'json', 'github'].includes(format))
      throw fault('bad-argument', `\`--format\` is text, json or github, not \`${format}\``);
    const found = positionals.flatMap(file => {
      const { program, diagnostics: told } = checkFile(file, values, terminal, { model: false });
      const diagnostics = program ? [...told, ...checkSpaces(program)] : told;
      const model = program?.model;
      if (!program || !model?.path || !findModel(model.path, model.baseDir)) return diagnostics;
      return [...diagnostics, ...select(program, shapeOf(program)).diagnostics];
    });
    if (format === 'json') terminal.outPart(renderJson(found, terminal.sources));
    else if (format === 'github') terminal.outPart(renderGithub(found));
    else terminal.diagnostics(found);
    const errors = found.filter(d => d.severity === 'error').length;
    if (format === 'text')
      terminal.note(
        errors === 0
          ? `${positionals.length === 1 ? positionals[0] : `${positionals.length} files`}: no errors`
          : `${errors} error${errors === 1 ? '' : 's'}`,
      );
    return errors > 0 ? EXIT.user : EXIT.ok;
  },
});
