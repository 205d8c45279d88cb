/** A small editor: starts `mos lsp`, speaks its protocol, and opens texts in which `|` marks the cursor. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';

const ROOT = join(import.meta.dir, '../..');

export interface Position {
  line: number;
  character: number;
}
export interface Range {
  start: Position;
  end: Position;
}
export interface Edit {
  range: Range;
  newText: string;
}
export interface Sent {
  code: string;
  message: string;
  severity: number;
  range: Range;
  relatedInformation?: { message: string; location: { uri: string; range: Range } }[];
}

interface Message {
  id?: number;
  method?: string;
  params?: unknown;
  result?: unknown;
  error?: { code: number; message: string };
}

export class Editor {
  readonly folder = mkdtempSync(join(tmpdir(), 'mos-lsp-'));
  readonly #child = Bun.spawn([process.execPath, 'src/cli/main.ts', 'lsp'], {
    cwd: ROOT,
    stdin: 'pipe',
    stdout: 'pipe',
    stderr: 'inherit',
  });
  readonly #waiting = new Map<number, { resolve(result: unknown): void; reject(error: Error): void }>();
  readonly #told = new Map<string, ((diagnostics: Sent[]) => void)[]>();
  readonly #versions = new Map<string, number>();
  #next = 1;
  capabilities: Record<string, unknown> = {};

  async start(): Promise<void> {
    void this.#read();
    const { capabilities } = (await this.request('initialize', {
      processId: process.pid,
      rootUri: null,
      capabilities: {},
      workspaceFolders: [{ uri: pathToFileURL(this.folder).href, name: 'test' }],
    })) as { capabilities: Record<string, unknown> };
    this.capabilities = capabilities;
    this.#send({ method: 'initialized', params: {} });
  }

  /** Asks the server to end, and gives its exit code. */
  async stop(): Promise<number> {
    await this.request('shutdown', null);
    this.#send({ method: 'exit' });
    const code = await this.#child.exited;
    rmSync(this.folder, { recursive: true, force: true });
    return code;
  }

  uri(name: string): string {
    return pathToFileURL(join(this.folder, name)).href;
  }

  /** Writes a file beside the documents, without opening it. */
  put(name: string, text: string): void {
    mkdirSync(dirname(join(this.folder, name)), { recursive: true });
    writeFileSync(join(this.folder, name), text);
  }

  /** Opens a text, or changes it; without the mark. Waits for its diagnostics. */
  async open(
    name: string,
    marked: string,
  ): Promise<{ textDocument: { uri: string }; position: Position; text: string; diagnostics: Sent[] }> {
    const cursor = marked.indexOf('|');
    const text = marked.replace('|', '');
    const before = marked.slice(0, Math.max(0, cursor));
    const position = {
      line: before.split('\n').length - 1,
      character: before.length - (before.lastIndexOf('\n') + 1),
    };
    const uri = this.uri(name);
    const version = (this.#versions.get(uri) ?? 0) + 1;
    this.#versions.set(uri, version);
    const told = new Promise<Sent[]>(resolve => this.#told.set(`${uri} ${version}`, [resolve]));
    if (version === 1)
      this.#send({
        method: 'textDocument/didOpen',
        params: { textDocument: { uri, languageId: 'mos', version, text } },
      });
    else
      this.#send({
        method: 'textDocument/didChange',
        params: { textDocument: { uri, version }, contentChanges: [{ text }] },
      });
    return { textDocument: { uri }, position, text, diagnostics: await told };
  }

  request(method: string, params: unknown): Promise<unknown> {
    const id = this.#next++;
    const answer = new Promise((resolve, reject) => this.#waiting.set(id, { resolve, reject }));
    this.#send({ id, method, params });
    return answer;
  }

  #send(message: object): void {
    const body = JSON.stringify({ jsonrpc: '2.0', ...message });
    this.#child.stdin.write(`Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`);
    this.#child.stdin.flush();
  }

  async #read(): Promise<void> {
    let buffer = Buffer.alloc(0);
    for await (const chunk of this.#child.stdout) {
      buffer = Buffer.concat([buffer, chunk]);
      for (;;) {
        const end = buffer.indexOf('\r\n\r\n');
        if (end < 0) break;
        const length = Number(/Content-Length: (\d+)/i.exec(buffer.toString('latin1', 0, end))?.[1]);
        if (buffer.length < end + 4 + length) break;
        const message = JSON.parse(buffer.toString('utf8', end + 4, end + 4 + length)) as Message;
        buffer = buffer.subarray(end + 4 + length);
        this.#take(message);
      }
    }
  }

  #take({ id, method, params, result, error }: Message): void {
    if (method === 'textDocument/publishDiagnostics') {
      const { uri, version, diagnostics } = params as { uri: string; version?: number; diagnostics: Sent[] };
      for (const tell of this.#told.get(`${uri} ${version}`) ?? []) tell(diagnostics);
    } else if (id !== undefined && method === undefined) {
      const waiting = this.#waiting.get(id);
      this.#waiting.delete(id);
      if (error) waiting?.reject(new Error(error.message));
      else waiting?.resolve(result);
    }
  }
}

/** The text after edits of one document, which must not overlap. */
export function edited(text: string, edits: Edit[]): string {
  const lines = text.split('\n');
  const offset = ({ line, character }: Position) =>
    lines.slice(0, line).reduce((sum, one) => sum + one.length + 1, 0) + character;
  const sorted = edits.toSorted((a, b) => offset(b.range.start) - offset(a.range.start));
  return sorted.reduce(
    (done, { range, newText }) =>
      done.slice(0, offset(range.start)) + newText + done.slice(offset(range.end)),
    text,
  );
}
