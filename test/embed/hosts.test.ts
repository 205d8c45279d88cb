/** examples/embed-node, embed-deno and embed-worker, run as their users run them: against the installed package. */
import { beforeAll, describe, expect, test } from 'bun:test';
import { cpSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { compile, load, train } from 'mos';
import { childEnvironment } from '../../src/host/environment.ts';
import { DENO, install, nodeIn, pack, ROOT, run, temporaryFolder } from '../package/project.ts';

const project = install(pack(temporaryFolder('pack')));
cpSync(join(ROOT, 'examples'), join(project, 'examples'), {
  recursive: true,
  filter: path => !/models|tasks/.test(path),
});
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

// Deno on SwiftShader did not get through these within minutes; why is not known yet.
test.skip("embed-deno: a plan on Deno's own WebGPU", () => {
  const command = [...DENO, 'examples/embed-deno/main.ts', PLAN, 'model', ADAPTER, PROMPTS[telling]];
  const { code, out, error } = run(project, command);
  expect([code, code === 0 ? '' : error]).toEqual([0, '']);
  const lines = out.trim().split('\n');
  expect(lines.slice(0, 2)).toEqual([
    `base: ${JSON.stringify(off[telling])}`,
    `adapter: ${JSON.stringify(on[telling])}`,
  ]);
  expect(lines.slice(2).every(line => /: hyperbolic \d+ %, euclid \d+ %$/.test(line))).toBe(true);
}, 300_000);

describe('embed-worker', () => {
  test.skip('trains in a worker of Deno, tells every step, and is cancelled', () => {
    writeFileSync(
      join(project, 'worker-user.ts'),
      `import { trainInWorker } from './examples/embed-worker/train.js';
       async function files(path: string, inside = '', all: [string, Uint8Array][] = []) {
         for await (const { name, isDirectory } of Deno.readDir(path + '/' + inside)) {
           if (isDirectory) await files(path, inside + name + '/', all);
           else all.push([inside + name, await Deno.readFile(path + '/' + inside + name)]);
         }
         return all;
       }
       const given = { plan: await files('tiny.mosplan'), model: await files('model'), data: [await Deno.readFile('data.jsonl')] };
       const losses: number[] = [];
       const { result, adapter } = await trainInWorker(given, { onStep: e => losses.push(e.loss) });
       const controller = new AbortController();
       const cancelled = await trainInWorker(given, { signal: controller.signal, onStep: () => controller.abort() });
       const wrong = await trainInWorker({ ...given, data: [new Uint8Array([123])] }).catch(e => e.message);
       console.log(JSON.stringify({ losses, result, bytes: adapter.byteLength, cancelled: cancelled.result, wrong }));`,
    );
    const { code, out, error } = run(project, [...DENO, 'worker-user.ts']);
    expect([code, code === 0 ? '' : error]).toEqual([0, '']);
    const seen = JSON.parse(out.trim().split('\n').at(-1)!);
    expect(seen.losses).toHaveLength(4);
    for (const [i, loss] of losses.entries()) expect(Math.abs(seen.losses[i] - loss)).toBeLessThan(TOLERANCE);
    expect(seen.result).toMatchObject({ steps: 4, stopped: false });
    expect(seen.bytes).toBe(Bun.file(join(ADAPTER, 'adapter.safetensors')).size);
    expect(seen.cancelled.stopped).toBe(true);
    expect(seen.cancelled.steps).toBeLessThan(4);
    expect(seen.wrong).toStartWith('bad-data: ');
  }, 300_000);
});
