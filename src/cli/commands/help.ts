import { type Command, COMMON, defineCommand, type Options } from '../command.ts';
import { unknownCommand } from '../unknown.ts';

export const help = defineCommand({
  name: 'help',
  summary: 'explain mos, or one command',
  usage: '[COMMAND]',
  options: {},
  positionals: [0, 1],
  async run({ positionals, terminal }) {
    // At run time, as the table holds this command too.
    const { COMMANDS } = await import('./index.ts');
    const [name] = positionals;
    if (name === undefined) {
      terminal.out(overview(COMMANDS));
      return 0;
    }
    const command = COMMANDS.find(c => c.name === name);
    if (!command) throw unknownCommand(name, COMMANDS);
    terminal.out(explain(command));
    return 0;
  },
});

export function overview(commands: readonly Command[]): string {
  const width = Math.max(...commands.map(c => c.name.length));
  return [
    'mos: mixture-of-space adapters, from a small language to WebGPU kernels',
    '',
    'usage: mos COMMAND [options]',
    '',
    ...commands.map(c => `  ${c.name.padEnd(width)}   ${c.summary}`),
    '',
    '`mos COMMAND --help` explains one of them. Exit codes: 0 done, 1 a problem to fix, 2 a bug of mos.',
  ].join('\n');
}

export function explain(command: Command): string {
  const lines = [`mos ${command.name}: ${command.summary}`, '', `usage: mos ${command.name} ${command.usage}`.trimEnd()];
  if (command.about) lines.push('', command.about);
  lines.push('', ...optionLines({ ...command.options, ...COMMON }));
  if (command.examples) lines.push('', 'examples:', ...command.examples.map(line => `  ${line}`));
  return lines.join('\n');
}

function optionLines(options: Options): string[] {
  const left = Object.entries(options).map(([name, o]) => {
    const value = o.type === 'string' ? ` ${o.value ?? 'VALUE'}` : '';
    return `  ${o.short ? `-${o.short}, ` : '    '}--${name}${value}`;
  });
  const width = Math.max(...left.map(text => text.length));
  return Object.values(options).map((o, i) => `${left[i].padEnd(width)}   ${o.about}`);
}
