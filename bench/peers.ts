/**
 * Other trainers, each in a process of its own that answers one JSON request per line, so that measurements of theirs and
 * ours can take turns. Their packages are installed into the user's cache when first needed, at fixed versions; PyTorch
 * has to be there: MOS_PYTHON names the interpreter, else .venv/bin/python.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { cacheFolder } from '../src/host/cache.ts';
import { childEnvironment } from '../src/host/environment.ts';

export type PeerName = 'torch' | 'jax-js';

const JAX = { '@jax-js/jax': '0.1.25', deno: '2.9.6' };
const SOURCES = join(import.meta.dirname, 'peers');
/** Longest answer, milliseconds. */
const PATIENCE = 900_000;
const KEPT_CHARACTERS = 2000;

export class Peer {
  /** `jax-js 0.1.25 on WebGPU`. */
  about = '';
  private readonly child: ChildProcess;
  private readonly lines: AsyncIterator<string>;
  private errors = '';

  constructor(command: string, args: string[], cwd: string) {
    this.child = spawn(command, args, { cwd, env: childEnvironment(), stdio: ['pipe', 'pipe', 'pipe'] });
    this.child.on('error', error => {
      this.errors += error.message;
    });
    this.child.stderr!.on('data', chunk => {
      this.errors = `${this.errors}${chunk}`.slice(-KEPT_CHARACTERS);
    });
    this.lines = createInterface({ input: this.child.stdout! })[Symbol.asyncIterator]();
  }

  /** The next line as an object. Throws with what the process said when it has ended, or an error that it reports. */
  async answer<T>(): Promise<T> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error('no answer')), PATIENCE);
    });
    try {
      const { value, done } = await Promise.race([this.lines.next(), late]);
      if (done) throw new Error(this.errors.trim().split('\n').at(-1) || 'the process ended');
      const answer = JSON.parse(value) as T & { error?: string };
      if (answer.error) throw new Error(answer.error);
      return answer;
    } finally {
      clearTimeout(timer);
    }
  }

  ask<T>(request: { do: string; [field: string]: unknown }): Promise<T> {
    this.child.stdin!.write(`${JSON.stringify(request)}\n`);
    return this.answer<T>();
  }

  close(): void {
    this.child.stdin!.end();
    this.child.kill();
  }
}

/** Starts a peer; where that is impossible, says why. */
export async function openPeer(name: PeerName, note: (text: string) => void): Promise<Peer | string> {
  try {
    const peer = name === 'torch' ? torch() : jax(note);
    const {
      peer: title,
      version,
      device,
    } = await peer.answer<Record<'peer' | 'version' | 'device', string>>();
    peer.about = `${title} ${version} (${device})`;
    return peer;
  } catch (error) {
    return `${name}: ${error instanceof Error ? error.message : String(error)}`;
  }
}

function torch(): Peer {
  const own = join(import.meta.dirname, '..', '.venv', 'bin', 'python');
  const python = process.env.MOS_PYTHON ?? (existsSync(own) ? own : 'python3');
  return new Peer(python, [join(SOURCES, 'eager.py')], process.cwd());
}

function jax(note: (text: string) => void): Peer {
  const folder = join(cacheFolder(), `jax-js-${JAX['@jax-js/jax']}`);
  const modules = join(folder, 'node_modules');
  if (!existsSync(join(modules, '@deno'))) {
    note('installing jax-js and Deno into the cache');
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, 'package.json'), JSON.stringify({ private: true, dependencies: JAX }));
    const { status, stderr } = spawnSync(process.execPath, ['install'], { cwd: folder, encoding: 'utf8' });
    if (status !== 0) throw new Error(`cannot be installed: ${stderr.trim().split('\n').at(-1)}`);
  }
  // deno's own start script makes a link at install time, for which its postinstall would have to be trusted
  const [platform] = readdirSync(join(modules, '@deno'));
  const deno = join(modules, '@deno', platform, process.platform === 'win32' ? 'deno.exe' : 'deno');
  copyFileSync(join(SOURCES, 'jax-js.js'), join(folder, 'jax-js.js'));
  return new Peer(deno, ['run', '-A', '--quiet', 'jax-js.js', JAX['@jax-js/jax']], folder);
}
