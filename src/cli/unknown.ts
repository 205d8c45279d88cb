import { oneOf, suggest } from '../../dsl/diagnostics/suggest.ts';
import { type Fault, fault } from '../report/fault.ts';

/** The fault for a command that does not exist. */
export function unknownCommand(name: string, commands: readonly { name: string }[]): Fault {
  const near = suggest(name, commands.map(c => c.name));
  const help = near.length > 0 ? `did you mean ${oneOf(near.map(n => `mos ${n}`))}?` : undefined;
  return fault('unknown-command', `there is no command \`${name}\``, help ? { help } : {});
}
