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
import { findBrowser, visit } from './browser.ts';

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

/** Whether a command of npm's registry can be run here. */
const available = (command: string[]): boolean =>
  spawnSync(command[0], [...command.slice(1), '--version'], { timeout: 300_000, stdio: 'ignore' }).status ===
  0;

function hostTest(name: string, command: string[], args: string[] = []): void {
  const run = async () => {
    const script = await bundle('process.ts', 'node');
    const child = Bun.spawn([...command, ...args, script, folder, ...cases], {
      env: childEnvironment(),
      stdout: 'pipe',
      stderr: 'pipe',
    });
    const [out, err] = await Promise.all([
      new Response(child.stdout).text(),
      new Response(child.stderr).text(),
    ]);
    const line = out.split('\n').findLast(l => l.startsWith('{'));
    if (!line) throw new Error(`${name} reports nothing:\n${err.slice(-3000)}`);
    judge(JSON.parse(line));
  };
  if (available(command)) test(name, run, HOST_MS);
  else test.skip(`${name} (\`${command.join(' ')}\` cannot be had here)`, run);
}

describe('reference cases', () => {
  hostTest('Bun', [process.execPath]);
  hostTest('Node', ['npx', '-y', 'node@22']);
  hostTest('Deno', ['npx', '-y', 'deno@2.9.6'], ['run', '--allow-read', '--unstable-webgpu', '--no-prompt']);
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
      '/done': {
        async POST(request) {
          const result = (await request.json()) as Report & { error?: string };
          if (result.error) done.reject(new Error(result.error));
          else done.resolve(result);
          return new Response();
        },
      },
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
