/** examples/embed-node, embed-deno and embed-worker, run as their users run them: against the installed package. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { cpSync } from 'node:fs';
import { join } from 'node:path';
import { compile, load, train } from 'mos';
import type { Trained } from 'mos/web';
import { childEnvironment } from '../../src/host/environment.ts';
import { type Browser, doneRoute, findBrowser, visit } from '../hosts/browser.ts';
import { findDeno } from '../hosts/deno.ts';
import { DENO, install, nodeIn, pack, ROOT, run, temporaryFolder } from '../package/project.ts';
import { folderOf } from './folders.ts';

const project = install(pack(temporaryFolder('pack')));
cpSync(join(ROOT, 'examples'), join(project, 'examples'), {
  recursive: true,
  filter: path => !/models|tasks/.test(path),
});
cpSync(join(import.meta.dir, 'worker-user.js'), join(project, 'test/embed/worker-user.js'));
const NODE = nodeIn(project);
const PLAN = join(project, 'tiny.mosplan');
const ADAPTER = join(project, 'run/adapter');
const PROMPTS = ['1+2=', '9+9=', '7', '4+4=8.', '0'];
const PROGRAM = `adapter q_proj, down_proj < rank: 4; alpha: 64; experts: hyperbolic, euclid; router: top1 >
data "data.jsonl" < length: 16 >
train < steps: 4; batch: 2; lr: 5e-2 >`;
/** Two implementations of WebGPU may order sums differently; loss, nats. */
const TOLERANCE = 1e-4;

const losses: number[] = [];
let off: string[];
let on: string[];
/** A prompt that the base and the adapter answer differently. */
let telling: number;

beforeAll(async () => {
  const plan = await compile(PROGRAM, { model: join(project, 'model'), folder: project, out: PLAN });
  await train(plan, { out: join(project, 'run'), onStep: e => losses.push(e.loss) });
  using model = await load(plan);
  await model.add('sums', ADAPTER);
  off = await model.generate(PROMPTS, { maxTokens: 16 });
  await model.use('sums');
  on = await model.generate(PROMPTS, { maxTokens: 16 });
  telling = off.findIndex((text, i) => text !== on[i]);
  expect(telling).toBeGreaterThanOrEqual(0);
}, 300_000);

test('embed-node: a service that switches adapters per request', async () => {
  const service = Bun.spawn(
    [NODE, 'examples/embed-node/service.js', PLAN, `sums=${ADAPTER}`, '--port', '0'],
    {
      cwd: project,
      env: childEnvironment(),
      stdout: 'pipe',
      stderr: 'inherit',
    },
  );
  const { value } = await service.stdout.getReader().read();
  const url = new TextDecoder().decode(value).trim();
  const ask = async (body: unknown) => {
    const response = await fetch(`${url}/generate`, { method: 'POST', body: JSON.stringify(body) });
    return {
      status: response.status,
      ...((await response.json()) as { text?: string; diagnostics?: { code: string }[] }),
    };
  };
  expect(await (await fetch(`${url}/adapters`)).json()).toEqual(['default', 'sums']);
  // All at once: they take turns, each with its own adapter.
  const asked = PROMPTS.flatMap(prompt => [
    ask({ prompt, max_tokens: 16 }),
    ask({ prompt, max_tokens: 16, adapter: 'sums' }),
  ]);
  expect((await Promise.all(asked)).map(({ text }) => text)).toEqual(
    PROMPTS.flatMap((_, i) => [off[i], on[i]]),
  );
  const wrong = await ask({ prompt: 'x', adapter: 'nobody' });
  expect([wrong.status, wrong.diagnostics?.[0].code]).toEqual([400, 'bad-argument']);
  expect((await fetch(`${url}/generate`, { method: 'POST', body: '{' })).status).toBe(400);
  expect((await fetch(`${url}/elsewhere`)).status).toBe(404);
  service.kill('SIGTERM');
  expect(await service.exited).toBe(0);
}, 300_000);

const deno = findDeno();

function onDeno(): void {
  const command = [...DENO, 'examples/embed-deno/main.ts', PLAN, 'model', ADAPTER, PROMPTS[telling]];
  const { code, out, error } = run(project, command, deno as NodeJS.ProcessEnv);
  expect([code, code === 0 ? '' : error]).toEqual([0, '']);
  const lines = out.trim().split('\n');
  expect(lines.slice(0, 2)).toEqual([
    `base: ${JSON.stringify(off[telling])}`,
    `adapter: ${JSON.stringify(on[telling])}`,
  ]);
  expect(lines.length).toBeGreaterThan(2);
  for (const line of lines.slice(2)) expect(line).toMatch(/: hyperbolic \d+ %, euclid \d+ %$/);
}

{
  const name = "embed-deno: a plan on Deno's own WebGPU";
  if (typeof deno === 'string') test.skip(`${name} (${deno})`, onDeno);
  else test(name, onDeno, 300_000);
}

/** What worker-user.js posts. */
interface Seen {
  phases: string[];
  steps: { step: number; loss: number }[];
  result: Trained;
  bytes: number;
  part: Trained;
  early: unknown;
  never: unknown;
  wrong?: string[];
  absent: boolean;
}

/** Serves page, scripts and files to worker-user.js, which `host` runs, and judges what it posts. */
async function judgeWorker(host: (url: string, done: Promise<Seen>) => Promise<Seen>): Promise<void> {
  const done = Promise.withResolvers<Seen>();
  const within = (name: string) => [...folderOf(join(project, name)).keys()].map(path => `${name}/${path}`);
  const server = Bun.serve({
    hostname: '127.0.0.1',
    port: 0,
    routes: {
      '/': new Response('<!doctype html><script type="module" src="worker-user.js"></script>', {
        headers: { 'content-type': 'text/html' },
      }),
      '/files': () => Response.json({ plan: within('tiny.mosplan'), model: within('model') }),
      '/done': doneRoute(done),
    },
    async fetch(request) {
      const path = decodeURIComponent(new URL(request.url).pathname);
      const file = Bun.file(
        path.startsWith('/files/') ? join(project, path.slice(7)) : join(project, 'site', path),
      );
      return (await file.exists()) ? new Response(file) : new Response('', { status: 404 });
    },
  });
  try {
    const seen = await host(server.url.href, done.promise);
    expect(seen.phases).toContain('opening the GPU');
    expect(seen.steps.map(({ step }) => step)).toEqual([1, 2, 3, 4]);
    for (const [i, { loss }] of seen.steps.entries())
      expect(Math.abs(loss - losses[i])).toBeLessThan(TOLERANCE);
    expect(seen.result).toMatchObject({ steps: 4, stopped: false });
    expect(seen.bytes).toBe(Bun.file(join(ADAPTER, 'adapter.safetensors')).size);
    // The signal may reach the worker a step later.
    expect(seen.part.stopped).toBe(true);
    expect([1, 2, 3]).toContain(seen.part.steps);
    expect([seen.early, seen.never]).toEqual(['changed my mind', 'already']);
    expect([seen.wrong, seen.absent]).toEqual([['bad-data'], true]);
  } finally {
    server.stop(true);
  }
}

const browser = await findBrowser();
afterAll(() => {
  if (typeof browser !== 'string') browser.close();
});

describe('embed-worker: trains in a worker, tells every step, and is cancelled', () => {
  const inDeno = () =>
    judgeWorker(async (url, done) => {
      const child = Bun.spawn([...DENO, 'test/embed/worker-user.js', url], {
        cwd: project,
        env: deno as NodeJS.ProcessEnv,
        stdout: 'inherit',
        stderr: 'pipe',
      });
      const told = new Response(child.stderr).text();
      const ended = child.exited.then(async () => Promise.reject(new Error(`Deno ended:\n${await told}`)));
      return Promise.race([done, ended]).finally(() => child.kill());
    });
  const inPage = async () => {
    // Side by side, as the one names the other.
    await Bun.build({
      entrypoints: ['test/embed/worker-user.js', 'examples/embed-worker/trainer.js'].map(path =>
        join(project, path),
      ),
      outdir: join(project, 'site'),
      naming: '[name].js',
      target: 'browser',
    });
    await judgeWorker((url, done) => visit(browser as Browser, url, done));
  };
  if (typeof deno === 'string') test.skip(`Deno (${deno})`, inDeno);
  else test('Deno', inDeno, 300_000);
  if (typeof browser === 'string') test.skip(`Chromium (${browser})`, inPage);
  else test('Chromium', inPage, 300_000);
});
