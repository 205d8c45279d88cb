/**
 * The process that does the work on the GPU, started by `supervise.ts`: runs one task and says over the channel what
 * happens. Its stdout and stderr are pipes that the supervisor reads, as libraries print where they like.
 */
import { failureOf } from './failure.ts';
import type { FromWorker, ToWorker } from './protocol.ts';
import { TASKS, type TaskContext } from './tasks.ts';

const stop = new AbortController();
/** What was said before anybody listened. */
const unheard: unknown[] = [];
let listener: ((data: unknown) => void) | undefined;

/** Messages are in order, and each is out before `last` lets the process end. */
function send(message: FromWorker): Promise<void> {
  return new Promise(resolve => {
    // The supervisor may be gone: then nobody is left to tell.
    if (!process.connected || !process.send) return resolve();
    process.send(message, undefined, undefined, () => resolve());
  });
}

const context: TaskContext = {
  log: text => void send({ kind: 'log', level: 'info', text }),
  warn: text => void send({ kind: 'log', level: 'warning', text }),
  warnings: diagnostics => void send({ kind: 'warnings', diagnostics }),
  progress: progress => void send({ kind: 'progress', progress }),
  phase: (phase, allow) => void send({ kind: 'phase', phase, ...(allow === undefined ? {} : { allow }) }),
  event: (name, data) => void send({ kind: 'event', name, data }),
  hear(heard) {
    listener = heard;
    for (const data of unheard.splice(0)) heard(data);
  },
  stop: stop.signal,
};

async function run(name: string, args: unknown): Promise<void> {
  let last: FromWorker = { kind: 'done' };
  try {
    const load = Object.hasOwn(TASKS, name) ? TASKS[name] : undefined;
    if (!load) throw new Error(`no task is called ${name}`);
    const { task } = await load();
    const value = await task(args as never, context);
    if (value !== undefined) await send({ kind: 'result', value });
  } catch (error) {
    last = failureOf(error);
  }
  await end(last);
}

async function end(last: FromWorker): Promise<void> {
  await send(last);
  // Dawn may leave threads or timers behind; the task is over, so nothing is cut short.
  process.exit(last.kind === 'done' ? 0 : 1);
}

if (!process.send) {
  process.stderr.write('this file is started by mos itself; run `mos help`\n');
  process.exitCode = 1;
} else {
  process.on('message', (message: ToWorker) => {
    if (message.kind === 'run') void run(message.task, message.args);
    else if (message.kind === 'stop') stop.abort();
    else if (message.kind === 'say') listener ? listener(message.data) : unheard.push(message.data);
    else message satisfies never;
  });
  // At a terminal, Ctrl-C reaches the worker too; the supervisor decides what it means.
  process.on('SIGINT', () => {});
  process.on('SIGTERM', () => stop.abort());
  // Without a supervisor: save and end.
  process.on('disconnect', () => stop.abort());
  process.on('uncaughtException', error => void end(failureOf(error)));
  process.on('unhandledRejection', error => void end(failureOf(error)));
  void send({ kind: 'ready' });
}
