/** A task that goes wrong as asked, so that tests can see what the supervisor makes of it. */
import { fault } from '../../report/fault.ts';
import type { TaskContext } from '../tasks.ts';

export type Misdeed =
  | 'abort'
  | 'exit'
  | 'hang'
  | 'spin'
  | 'fault'
  | 'bug'
  | 'print'
  | 'until-stopped'
  | 'deaf';

export async function task({ how }: { how: Misdeed }, context: TaskContext): Promise<unknown> {
  context.phase(`misbehaving (${how})`);
  switch (how) {
    case 'abort':
      // A print first: what a library says before it aborts belongs into the fault.
      process.stderr.write('last words\n');
      await new Promise(resolve => setTimeout(resolve, 50));
      process.kill(process.pid, 'SIGABRT');
      return new Promise(() => {});
    case 'exit':
      process.exit(7);
      break;
    case 'hang':
      setInterval(() => {}, 1000);
      return new Promise(() => {});
    case 'spin':
      for (;;) Math.random();
    case 'fault':
      throw fault('file-not-found', 'no such file: `\u001b[31mred\u001b[0m.mos`', {
        notes: ['asked for by a test'],
      });
    case 'bug':
      throw new TypeError('a bug on demand');
    case 'print':
      process.stdout.write('a line that a library prints\n');
      context.log('said properly');
      return { printed: true };
    case 'until-stopped':
      context.log('waiting');
      setInterval(() => {}, 1000);
      await new Promise(resolve => context.stop.addEventListener('abort', resolve));
      return { stopped: true };
    case 'deaf':
      context.log('waiting');
      setInterval(() => {}, 1000);
      return new Promise(() => {});
    default:
      how satisfies never;
  }
  return undefined;
}
