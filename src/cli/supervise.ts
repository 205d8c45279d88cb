/**
 * Runs a task in a child process and stays in charge: the GPU library lives in the child, and may abort or hang it.
 * The supervisor owns the terminal and the deadline, passes Ctrl-C on as a request to stop, and turns a child that
 * hangs or dies into a fault which says what it was doing.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Diagnostic } from '../../dsl/diagnostics/diagnostic.ts';
import { childEnvironment } from '../host/environment.ts';
import { AS_WORKER, isSingleFile } from '../host/single-file.ts';
import { type Fault, fault } from '../report/fault.ts';
import type { FromWorker, ToWorker } from './protocol.ts';
import type { Terminal } from './terminal.ts';

/** What a command does with the messages of its task. What it leaves out goes to the terminal as usual. */
export interface Handlers {
  terminal: Terminal;
  /** Seconds of silence after which the worker counts as hung, unless a phase allows more. Default 120. */
  deadline?: number;
  result?(value: unknown): void;
  event?(name: string, data: unknown): void;
  progress?(message: Extract<FromWorker, { kind: 'progress' }>['progress']): void;
  log?(text: string, level: 'info' | 'warning'): void;
  /** Adds to what ended the task, before it is shown. */
  explain?(diagnostics: readonly Diagnostic[]): readonly Diagnostic[];
  /** Sees what ended the task before it is shown, unless the user asked to stop. True: it is not shown. */
  failed?(diagnostics: readonly Diagnostic[]): boolean;
  /** Called at the start with a way to say something to the task. */
  started?(say: (data: unknown) => void): void;
  /** Sees Ctrl-C first; true: it was meant for something smaller than the whole task. */
  interrupt?(): boolean;
  /** What libraries print in the worker; by default kept, and shown only when the worker dies. */
  output?(text: string): void;
}

export const EXIT = { ok: 0, user: 1, bug: 2, interrupted: 130, terminated: 143 } as const;

/** In a single-file program no file can be started: the program starts itself, and this says as what. */
const WORKER = isSingleFile()
  ? AS_WORKER
  : fileURLToPath(new URL(`./worker${extname(import.meta.url)}`, import.meta.url));
const DEADLINE_S = 120;
/** From `done` to the end of the process. */
const GRACE_MS = 5_000;
const TICK_MS = 250;
const KEPT_CHARACTERS = 4_000;
const KEPT_LINES = 6;

/** Runs `task` in a worker and resolves to the exit code, every fault already shown. */
export async function runInWorker(task: string, args: unknown, handlers: Handlers): Promise<number> {
  return new Supervisor(task, args, handlers).run();
}

/** Runs `task`, prints its result as a text or as JSON, and resolves to the exit code, which `judge` may make another. */
export async function printFromWorker<T extends object>(
  task: string,
  args: unknown,
  terminal: Terminal,
  asText: (result: T) => string,
  judge: (result: T) => number = () => EXIT.ok,
): Promise<number> {
  let result: T | undefined;
  const code = await runInWorker(task, args, {
    terminal,
    result: value => {
      result = value as T;
    },
  });
  if (code !== EXIT.ok || !result) return code;
  if (terminal.json) terminal.outJson({ version: 1, ...result });
  else terminal.out(asText(result));
  return judge(result);
}

class Supervisor {
  readonly #task: string;
  readonly #args: unknown;
  readonly #handlers: Handlers;
  readonly #child: ChildProcess;
  #phase = 'starting';
  #allow: number;
  #clock: NodeJS.Timeout | undefined;
  /** Milliseconds since the last message, counted in ticks: time asleep (Ctrl-Z, a closed lid) does not count. */
  #silent = 0;
  #output = '';
  /** Set once the outcome is known; a death after that is of no interest. */
  #code: number | undefined;
  #stoppedBy: 'SIGINT' | 'SIGTERM' | undefined;

  constructor(task: string, args: unknown, handlers: Handlers) {
    this.#task = task;
    this.#args = args;
    this.#handlers = handlers;
    this.#allow = handlers.deadline ?? DEADLINE_S;
    this.#child = spawn(process.execPath, [...process.execArgv, WORKER], {
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      env: childEnvironment(),
      // JSON would turn a loss of NaN into null.
      serialization: 'advanced',
    });
  }

  async run(): Promise<number> {
    const child = this.#child;
    const keep = (chunk: Buffer) => this.#keepOutput(chunk.toString('utf8'));
    child.stdout?.on('data', keep);
    child.stderr?.on('data', keep);
    child.on('message', message => this.#receive(message as FromWorker));
    const interrupt = () => {
      if (!this.#handlers.interrupt?.()) this.#signal('SIGINT');
    };
    const terminate = () => this.#signal('SIGTERM');
    process.on('SIGINT', interrupt);
    process.on('SIGTERM', terminate);
    this.#clock = setInterval(() => this.#tick(), TICK_MS);
    try {
      const death = await new Promise<string>(resolve => {
        child.on('error', error => resolve(error.message));
        // `close`, not `exit`: by then its last messages and prints have been read.
        child.on('close', (code, signal) => resolve(signal ? `signal ${signal}` : `exit code ${code}`));
      });
      this.#handlers.terminal.endProgress();
      // Asked to stop before it could listen, or stopped from outside: that is no accident.
      if (this.#stoppedBy && /SIG(INT|TERM)$/.test(death)) this.#code ??= EXIT.ok;
      if (this.#code === undefined) this.#fail(this.#died(death));
      if (this.#stoppedBy && this.#code === EXIT.ok) {
        return this.#stoppedBy === 'SIGINT' ? EXIT.interrupted : EXIT.terminated;
      }
      return this.#code ?? EXIT.bug;
    } finally {
      clearInterval(this.#clock);
      process.off('SIGINT', interrupt);
      process.off('SIGTERM', terminate);
    }
  }

  #receive(message: FromWorker): void {
    const { terminal } = this.#handlers;
    if (this.#code !== undefined) return;
    if (message.kind === 'phase') this.#allow = message.allow ?? this.#handlers.deadline ?? DEADLINE_S;
    this.#silent = 0;
    switch (message.kind) {
      case 'ready':
        if (this.#stoppedBy) {
          this.#settle(EXIT.ok);
          this.#child.kill('SIGKILL');
        } else {
          this.#tell({ kind: 'run', task: this.#task, args: this.#args });
          this.#handlers.started?.(data => this.#tell({ kind: 'say', data }));
        }
        break;
      case 'log':
        if (this.#handlers.log) this.#handlers.log(message.text, message.level);
        else terminal.note(message.level === 'warning' ? `warning: ${message.text}` : message.text);
        break;
      case 'progress':
        if (this.#handlers.progress) this.#handlers.progress(message.progress);
        else terminal.progress(message.progress);
        break;
      case 'phase':
        this.#phase = message.phase;
        break;
      case 'event':
        this.#handlers.event?.(message.name, message.data);
        break;
      case 'result':
        this.#handlers.result?.(message.value);
        break;
      case 'warnings':
        terminal.diagnostics(message.diagnostics);
        break;
      case 'fault':
        this.#show(message.diagnostics);
        this.#settle(EXIT.user);
        break;
      case 'bug':
        terminal.bug(message.message, message.stack);
        this.#settle(EXIT.bug);
        break;
      case 'done':
        this.#settle(EXIT.ok);
        break;
      default:
        message satisfies never;
    }
  }

  /** The outcome is known: the process may take a moment to end, not more. */
  #settle(code: number): void {
    this.#code = code;
    this.#silent = 0;
  }

  #fail(found: Fault): void {
    this.#show(found.diagnostics);
    this.#code = EXIT.user;
  }

  #show(diagnostics: readonly Diagnostic[]): void {
    if (!this.#stoppedBy && this.#handlers.failed?.(diagnostics)) return;
    this.#handlers.terminal.diagnostics(this.#handlers.explain?.(diagnostics) ?? diagnostics);
  }

  #tick(): void {
    this.#silent += TICK_MS;
    if (this.#code !== undefined) {
      if (this.#silent >= GRACE_MS) this.#child.kill('SIGKILL');
      return;
    }
    if (this.#silent < this.#allow * 1000) return;
    const message = `no sign of life for ${this.#allow} seconds while ${this.#phase}`;
    this.#fail(fault('worker-hung', message, { notes: this.#lastWords() }));
    this.#child.kill('SIGKILL');
  }

  #died(how: string): Fault {
    const message = `the worker ended (${how}) while ${this.#phase}`;
    return fault('worker-died', message, { notes: this.#lastWords() });
  }

  #lastWords(): string[] {
    const lines = this.#output.split('\n').filter(line => line.trim());
    return lines.slice(-KEPT_LINES).map(line => `it printed: ${line.trimEnd()}`);
  }

  #keepOutput(text: string): void {
    this.#handlers.output?.(text);
    this.#output = (this.#output + text).slice(-KEPT_CHARACTERS);
  }

  #signal(signal: 'SIGINT' | 'SIGTERM'): void {
    const { terminal } = this.#handlers;
    if (this.#stoppedBy) {
      this.#code ??= signal === 'SIGINT' ? EXIT.interrupted : EXIT.terminated;
      this.#child.kill('SIGKILL');
      return;
    }
    this.#stoppedBy = signal;
    terminal.note('stopping after this step; once more stops at once');
    this.#tell({ kind: 'stop' });
  }

  #tell(message: ToWorker): void {
    // A dead channel shows as the death of the worker.
    if (this.#child.connected) this.#child.send(message, () => {});
  }
}
