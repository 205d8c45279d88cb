import { COMMON, type Command, defineCommand, type Options } from '../command.ts';
import { findCommand } from '../find.ts';

/** `commands` is asked for at run time, as the table holds this command too. */
export function helpFor(commands: () => readonly Command[]): Command {
  return defineCommand({
    name: 'help',
    summary: 'explain mos, or one command',
    usage: '[COMMAND]',
    options: {},
    positionals: [0, 1],
    async run({ positionals, terminal }) {
      const [name] = positionals;
      terminal.out(name === undefined ? overview(commands()) : explain(findCommand(name, commands())));
      return 0;
    },
  });
}

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
  const lines = [
    `mos ${command.name}: ${command.summary}`,
    '',
    `usage: mos ${command.name} ${command.usage}`.trimEnd(),
  ];
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
