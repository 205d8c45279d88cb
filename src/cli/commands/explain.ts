import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Program } from '../../../dsl/index.ts';
import { fault } from '../../report/fault.ts';
import { defineCommand } from '../command.ts';
import { hasErrors } from '../render.ts';
import { EXIT } from '../supervise.ts';

export const explain = defineCommand({
  name: 'explain',
  summary: 'show a program with every default filled in, or the page of a diagnostic',
  usage: 'FILE.mos | CODE',
  about:
    'For a file: the same program with nothing left to defaults and, where its base model is at hand, the modules of every adapter ' +
    'as comments. It can be run in place of the file. For a code: what it means, with a wrong and a right example.',
  examples: ['mos explain examples/line.mos', 'mos explain unknown-space'],
  options: {},
  positionals: [1, 1],
  async run({ positionals: [target], terminal }) {
    if (!target.endsWith('.mos') && !existsSync(target)) {
      const { allPages, nearCodes, pageOf } = await import('../../docs/pages.ts');
      const page = pageOf(target);
      if (page === undefined) {
        const near = nearCodes(target);
        const help =
          near.length > 0
            ? `did you mean \`${near[0]}\`?`
            : 'give a `.mos` file, or the code in the brackets of a diagnostic';
        throw fault('bad-argument', `there is no diagnostic \`${target}\``, { help });
      }
      if (terminal.json) terminal.outJson({ version: 1, ...allPages().find(({ code }) => code === target) });
      else terminal.outPart(page);
      return EXIT.ok;
    }
    const [{ checkFile }, { fillDefaults }] = await Promise.all([
      import('../program.ts'),
      import('../../../dsl/index.ts'),
    ]);
    const { program, diagnostics } = checkFile(target, {}, terminal, { model: false });
    terminal.diagnostics(diagnostics);
    if (!program || hasErrors(diagnostics)) return EXIT.user;
    const notes = await moduleNotes(program);
    const text = fillDefaults(target, terminal.sources.get(target) ?? '', program, {
      adapterNotes: i => notes[i] ?? [],
    });
    if (terminal.json) terminal.outJson({ version: 1, text });
    else terminal.outPart(text);
    return EXIT.ok;
  },
});

/** Lines about what each adapter matches; none without a model folder. */
async function moduleNotes(program: Program): Promise<string[][]> {
  const { path, baseDir } = program.model;
  if (path === '' || !existsSync(resolve(baseDir, path))) return [];
  const [{ shapeOf }, { select }, { describeModules }] = await Promise.all([
    import('../program.ts'),
    import('../../../compiler/select.ts'),
    import('../../docs/modules.ts'),
  ]);
  return select(program, shapeOf(program)).matched.map(modules =>
    describeModules(modules.map(each => each.path)),
  );
}
