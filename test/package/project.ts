/** The package as npm makes it, installed into a project of its own with the runtimes that it promises. */
import { execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { childEnvironment } from '../../src/host/environment.ts';
import { DENO as DENO_ITSELF } from '../hosts/deno.ts';
import { writeTinyData, writeTinyModel } from '../tiny-model.ts';

export const ROOT = resolve(import.meta.dir, '../..');
/** What the package runs on beside Bun, from npm: in the project, and by a command. */
const NODE_PACKAGE = 'node@22';
export const DENO = [...DENO_ITSELF, 'run', '--allow-all'];
export const nodeIn = (project: string): string => join(project, 'node_modules/node/bin/node');

export function temporaryFolder(name: string): string {
  const folder = mkdtempSync(join(tmpdir(), `mos-${name}-`));
  process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** The path of the tarball. */
export function pack(folder: string): string {
  npm(ROOT, 'pack', '--pack-destination', folder);
  return join(folder, readdirSync(folder).find(name => name.endsWith('.tgz'))!);
}

/** A project with the package, Node, and a tiny model with data. */
export function install(tarball: string): string {
  const project = temporaryFolder('consumer');
  writeFileSync(
    join(project, 'package.json'),
    JSON.stringify({ name: 'consumer', private: true, type: 'module' }),
  );
  // The optional package is a browser for its software GPU, which the tests' own checkout has.
  npm(project, 'install', '--omit=optional', '--no-audit', '--no-fund', tarball, NODE_PACKAGE);
  writeTinyModel(join(project, 'model'));
  writeTinyData(join(project, 'data.jsonl'));
  return project;
}

function npm(cwd: string, ...args: string[]): string {
  return execFileSync('npm', args, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
}

export interface Outcome {
  code: number;
  out: string;
  error: string;
}

/** Runs a program in a folder, with the software GPU where a library path is all that is missing, unless told otherwise. */
export function run(cwd: string, command: string[], env: NodeJS.ProcessEnv = childEnvironment()): Outcome {
  const { exitCode, stdout, stderr } = Bun.spawnSync(command, { cwd, env: { ...env, NO_COLOR: '1' } });
  return { code: exitCode, out: stdout.toString(), error: stderr.toString() };
}

/** A copy of what a program is built from, to be deleted before the program runs: nothing of it may be needed then. */
export function copyOfSources(): string {
  const copy = temporaryFolder('sources');
  for (const part of ['src', 'dsl', 'compiler', 'kernels', 'package.json', 'tsconfig.json'])
    cpSync(join(ROOT, part), join(copy, part), { recursive: true });
  symlinkSync(join(ROOT, 'node_modules'), join(copy, 'node_modules'));
  return copy;
}
