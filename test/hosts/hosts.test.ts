/**
 * The same cases with the same tolerances wherever plans run: Dawn under Bun and Node, Deno's own WebGPU, a browser. A host
 * that cannot be had on this machine is skipped by name.
 */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { childEnvironment } from '../../src/host/environment.ts';
import type { Outcome } from '../runtime/cases.ts';
import { writeGoldenCases } from '../runtime/write-cases.ts';
import { doneRoute, findBrowser, visit } from './browser.ts';
import { DENO, findDeno } from './deno.ts';

const ADAPTERS = ['readme', 'guards', 'kappa_signs'];
const MODULES = join(import.meta.dir, '../../node_modules');
const HOST_MS = 600_000;

interface Report {
  gpu: string;
  outcomes: Outcome[];
}

let folder: string;
let cases: string[];

/** Bundles an entry into the folder, where packages of this project can be found. */
async function bundle(entry: string, target: 'node' | 'browser'): Promise<string> {
  const { outputs } = await Bun.build({
    entrypoints: [join(import.meta.dir, entry)],
    target,
    external: ['webgpu'],
    outdir: folder,
  });
  return outputs[0].path;
}

beforeAll(() => {
  mkdirSync(MODULES, { recursive: true });
  folder = mkdtempSync(join(MODULES, '.mos-hosts-'));
  cases = writeGoldenCases(folder, ADAPTERS);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function judge({ gpu, outcomes }: Report): void {
  console.log(`on ${gpu}`);
  expect(new Set(outcomes.map(o => o.case))).toEqual(new Set(cases));
  // NaN is no pass.
  expect(outcomes.filter(({ error, tolerance }) => !(error <= tolerance))).toEqual([]);
}

/** What a command prints, or nothing if it fails: it cannot be had, or ends badly. */
function ask(command: string[], env = process.env): string | undefined {
  const { status, stdout } = spawnSync(command[0], command.slice(1), {
    env,
    timeout: 300_000,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  return status === 0 ? stdout.trim() : undefined;
}

interface Host {
  name: string;
  command: string[];
  env: NodeJS.ProcessEnv;
  /** Why it cannot be had. */
  missing?: string | undefined;
}

function hostTest({ name, command, env, missing }: Host): void {
  const run = async () => {
    const script = await bundle('process.ts', 'node');
    const child = Bun.spawn([...command, script, folder, ...cases], { env, stdout: 'pipe', stderr: 'pipe' });
    const [out, err] = await Promise.all([
      new Response(child.stdout).text(),
      new Response(child.stderr).text(),
    ]);
    const line = out.split('\n').findLast(l => l.startsWith('{'));
    if (!line) throw new Error(`${name} reports nothing:\n${err.slice(-3000)}`);
    judge(JSON.parse(line));
  };
  if (missing) test.skip(`${name} (${missing})`, run);
  else test(name, run, HOST_MS);
}

const NODE = ['npx', '-y', 'node@22'];

describe('reference cases', () => {
  const env = childEnvironment();
  hostTest({ name: 'Bun', command: [process.execPath], env });
  const missing = ask([...NODE, '--version'], env) ? undefined : '`npx node@22` cannot be had here';
  hostTest({ name: 'Node', command: NODE, env, missing });
  const deno = findDeno();
  hostTest({
    name: 'Deno',
    command: [...DENO, 'run', '--allow-read', '--no-prompt'],
    ...(typeof deno === 'string' ? { env, missing: deno } : { env: deno }),
  });
});

const browser = await findBrowser();
afterAll(() => {
  if (typeof browser !== 'string') browser.close();
});

async function inBrowser(): Promise<void> {
  if (typeof browser === 'string') return;
  const script = Bun.file(await bundle('page.ts', 'browser'));
  const done = Promise.withResolvers<Report>();
  const page = '<!doctype html><title>cases</title><script type="module" src="/page.js"></script>';
  const server = Bun.serve({
    hostname: '127.0.0.1',
    port: 0,
    routes: {
      '/': new Response(page, { headers: { 'content-type': 'text/html' } }),
      '/page.js': new Response(script),
      '/cases': () => Response.json(cases),
      '/done': doneRoute(done),
    },
    fetch(request) {
      const path = join(folder, new URL(request.url).pathname.replace('/cases/', ''));
      return existsSync(path) ? new Response(Bun.file(path)) : new Response('', { status: 404 });
    },
  });
  try {
    judge(await visit(browser, server.url.href, done.promise));
  } finally {
    server.stop(true);
  }
}

if (typeof browser === 'string') test.skip(`Chromium (${browser})`, inBrowser);
else test('reference cases in Chromium', inBrowser, HOST_MS);
