import { realFiles, replaceFile, systemCode } from '../../host/files.ts';
import { fault } from '../../report/fault.ts';
import { defineCommand } from '../command.ts';
import { EXIT } from '../supervise.ts';

export const inspect = defineCommand({
  name: 'inspect',
  summary: 'show what is in a plan',
  usage: 'PLAN|FILE.mos [options]',
  about:
    'Programs, kernels, buffers, memory over time, and the lines of the `.mos` file that everything comes from. A file is compiled ' +
    'first, without writing anything. `--html` makes one page of it, complete with the kernels, that needs nothing else.',
  examples: [
    'mos inspect runs/tiny/tiny.mosplan',
    'mos inspect examples/tiny.mos --html tiny.html',
    'mos inspect examples/tiny.mos --program decode',
  ],
  options: {
    model: { type: 'string', value: 'DIR', about: 'base model, instead of the `model` block' },
    portable: { type: 'boolean', about: "compile for WebGPU's default limits" },
    html: { type: 'string', value: 'FILE', about: 'write a page instead' },
    program: { type: 'string', value: 'NAME', about: 'list the dispatches of one program' },
  },
  positionals: [1, 1],
  async run({ values, positionals: [target], terminal }) {
    const [{ planOf }, { reportOn }, { programText, reportText }, { reportPage }] = await Promise.all([
      import('../target.ts'),
      import('../../inspect/report.ts'),
      import('../../inspect/text.ts'),
      import('../../inspect/page.ts'),
    ]);
    const { plan, files } = planOf(target, values, terminal);
    const report = reportOn(plan, files);
    if (values.html !== undefined) {
      writePage(values.html, reportPage(report, terminal.sources));
      terminal.note(`written to ${values.html}`);
    }
    if (terminal.json) {
      terminal.outJson({ version: 1, ...report });
    } else if (values.program !== undefined) {
      const program = report.programs.find(p => p.name === values.program);
      if (!program)
        throw fault('bad-argument', `the plan has no program \`${values.program}\``, {
          help: `there are: ${report.programs.map(p => p.name).join(', ')}`,
        });
      terminal.out(programText(program));
    } else if (values.html === undefined) {
      terminal.out(reportText(report));
    }
    return EXIT.ok;
  },
});

function writePage(path: string, page: string): void {
  try {
    replaceFile(realFiles, path, [new TextEncoder().encode(page)]);
  } catch (error) {
    throw fault('unwritable-file', `\`${path}\` cannot be written (${systemCode(error) ?? error})`);
  }
}
