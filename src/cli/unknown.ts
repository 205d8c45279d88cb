import { type Fault, fault } from '../report/fault.ts';
import { suggest } from '../report/suggest.ts';

/** The fault for a command that does not exist. */
export function unknownCommand(name: string, commands: readonly { name: string }[]): Fault {
  const near = suggest(name, commands.map(c => c.name));
  const help = near.length > 0 ? `did you mean ${near.map(n => `\`mos ${n}\``).join(' or ')}?` : undefined;
  return fault('unknown-command', `there is no command \`${name}\``, help ? { help } : {});
}
