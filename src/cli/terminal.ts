/**
 * The one place that writes to the terminal. Results go to stdout; everything said about the work goes to stderr.
 * A reader that goes away (`| head`) stops the output, not the work.
 */
import type { Diagnostic } from '../../dsl/diagnostics/diagnostic.ts';
import { type Progress, StatusLine } from '../report/progress.ts';
import { hasErrors, printableLines, renderBug, renderJson, renderText } from './render.ts';

type Stream = NodeJS.WriteStream;

export class Terminal {
  /** Results and errors as JSON on stdout, for a program that reads them. */
  readonly json: boolean;
  /** Source texts by path, for the code frames of diagnostics; a command adds what it reads. */
  readonly sources = new Map<string, string>();
  readonly #status: StatusLine;
  readonly #color: boolean;

  constructor({ json = false, every }: { json?: boolean; every?: number } = {}) {
    this.json = json;
    this.#color = wantsColor(process.stderr);
    for (const stream of [process.stdout, process.stderr]) ignoreBrokenPipe(stream);
    this.#status = new StatusLine(process.stderr, every);
  }

  /** A line of the result. */
  out(text: string): void {
    this.#status.clear();
    write(process.stdout, `${text}\n`);
  }

  /** Part of a line of the result, such as text as it is generated. */
  outPart(text: string): void {
    this.#status.clear();
    write(process.stdout, text);
  }

  /** The result as one line of JSON. */
  outJson(value: unknown): void {
    this.out(JSON.stringify(value));
  }

  /** A line about the work. */
  note(text: string): void {
    this.#status.clear();
    write(process.stderr, `${printableLines(text)}\n`);
  }

  progress(progress: Progress): void {
    this.#status.update(progress);
  }

  /** Leaves the status line as it is and goes to the next line. */
  endProgress(): void {
    this.#status.finish();
  }

  /** Diagnostics, once. With `--json` errors become the object on stdout; warnings stay on stderr. */
  diagnostics(diagnostics: readonly Diagnostic[]): void {
    if (diagnostics.length === 0) return;
    this.endProgress();
    if (this.json && hasErrors(diagnostics)) write(process.stdout, renderJson(diagnostics, this.sources));
    else write(process.stderr, renderText(diagnostics, this.sources, { color: this.#color }));
  }

  bug(message: string, stack: string | undefined): void {
    this.endProgress();
    write(process.stderr, `${renderBug(message, stack)}\n`);
  }
}

function wantsColor(stream: Stream): boolean {
  const { NO_COLOR, FORCE_COLOR, TERM } = process.env;
  if (NO_COLOR) return false;
  if (FORCE_COLOR && FORCE_COLOR !== '0') return true;
  return Boolean(stream.isTTY) && TERM !== 'dumb';
}

const broken = new WeakSet<Stream>();

function ignoreBrokenPipe(stream: Stream): void {
  if (stream.listenerCount('error') > 0) return;
  stream.on('error', (error: NodeJS.ErrnoException) => {
    broken.add(stream);
    if (error.code !== 'EPIPE' && error.code !== 'EIO') throw error;
  });
}

function write(stream: Stream, text: string): void {
  if (!broken.has(stream)) stream.write(text);
}
