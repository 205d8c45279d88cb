import { oneOf, suggest } from '../../dsl/diagnostics/suggest.ts';
import { fault } from '../report/fault.ts';
import type { Command } from './command.ts';

/** The command of that name; throws `unknown-command` with the nearest names there are. */
export function findCommand(name: string, commands: readonly Command[]): Command {
  const command = commands.find(c => c.name === name);
  if (command) return command;
  const names = commands.map(c => c.name);
  const near = suggest(name, names);
  const help = near.length > 0 ? `did you mean ${oneOf(near.map(n => `mos ${n}`))}?` : undefined;
  throw fault('unknown-command', `there is no command \`${name}\``, help ? { help } : {});
}
