import { lstatSync, readFileSync, realpathSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { fault } from '../../report/fault.ts';
import { defineCommand } from '../command.ts';
import { hasErrors } from '../render.ts';
import { EXIT } from '../supervise.ts';

export const fmt = defineCommand({
  name: 'fmt',
  summary: 'write programs in the one style there is',
  usage: 'FILE.mos… [--check | --stdout]',
  about:
    'A body that fits in 100 columns stands on one line, another has one field per line; every comment is kept. ' +
    'Files are rewritten in place, and a file with a mistake of form is left as it is.',
  examples: ['mos fmt examples/tiny.mos', 'mos fmt --check examples/*.mos'],
  options: {
    check: { type: 'boolean', about: 'write nothing; exit code 1 if a file would change' },
    stdout: { type: 'boolean', about: 'print the result, and leave the file as it is' },
  },
  positionals: [1, 1000],
  async run({ values, positionals, terminal }) {
    const { format } = await import('../../../dsl/index.ts');
    if (values.check && values.stdout)
      throw fault('bad-argument', '`--check` and `--stdout` exclude each other');
    if (values.stdout && positionals.length > 1) throw fault('bad-argument', '`--stdout` takes one file');
    const changed: string[] = [];
    let refused = false;
    for (const file of positionals) {
      const before = readProgram(file);
      terminal.sources.set(file, before);
      const { text, diagnostics } = format(file, before);
      terminal.diagnostics(diagnostics);
      refused ||= hasErrors(diagnostics);
      if (text === undefined) continue;
      if (values.stdout) terminal.outPart(text);
      else if (text !== before) {
        changed.push(file);
        if (!values.check) replace(file, text);
      }
    }
    if (terminal.json && !values.stdout && !refused) terminal.outJson({ version: 1, changed });
    else if (!values.stdout) {
      for (const file of changed)
        terminal.note(values.check ? `${file}: not in style; run \`mos fmt ${file}\`` : `${file}: rewritten`);
    }
    return refused || (values.check && changed.length > 0) ? EXIT.user : EXIT.ok;
  },
});

function readProgram(file: string): string {
  const stat = lstatSync(file, { throwIfNoEntry: false });
  if (!stat) throw fault('file-not-found', `there is no file \`${file}\``);
  if (stat.isDirectory()) throw fault('unreadable-file', `\`${file}\` is a folder`);
  return readFileSync(file, 'utf8');
}

/** Aside, then renamed: whoever reads the file sees the old text or the new one. A link is followed, and stays one. */
function replace(file: string, text: string): void {
  const target = realpathSync(file);
  const aside = `${target}.${process.pid}.tmp`;
  try {
    writeFileSync(aside, text, { flag: 'wx', mode: lstatSync(target).mode });
    renameSync(aside, target);
  } catch (error) {
    rmSync(aside, { force: true });
    throw fault(
      'unwritable-file',
      `cannot write \`${file}\`: ${error instanceof Error ? error.message : error}`,
    );
  }
}
