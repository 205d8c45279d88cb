/** What a page has of the package, run under Bun: the same steps, answers and files as the command line's. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MosError } from 'mos';
import { meanRoutes, WebModel } from 'mos/web';
import { type OpenedDevice, openDevice } from '../../src/gpu/device.ts';
import { openCheckpoint } from '../../src/model/checkpoint.ts';
import { folderWith, tensorsIn, tokenizerIn } from '../../src/web/files.ts';
import { folderOf, trainTiny } from './folders.ts';

const folder = mkdtempSync(join(tmpdir(), 'mos-web-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const PROGRAM = `adapter q_proj, down_proj < rank: 4; alpha: 64; dropout: 0.1; experts: hyperbolic, euclid; router: top1 >
data "data.jsonl" < length: 16 >
train < steps: 3; batch: 2; accumulate: 2; lr: 5e-2; log: 1 >`;
const PROMPTS = ['1+2=', '3+4='];
const how = { raw: true, maxTokens: 6 };

let opened: OpenedDevice;
let web: WebModel;
let losses: number[];
let answers: string[];

beforeAll(async () => {
  // what pages open: no features, so the same kernels for both
  opened = await openDevice();
  const trained = await trainTiny(folder, PROGRAM, opened.device);
  using model = trained.model;
  losses = trained.losses;
  await model.use('trained');
  answers = await model.generate(PROMPTS, how);
  web = await WebModel.open(folderOf(join(folder, 'tiny.mosplan')), folderOf(folder), {
    device: opened.device,
  });
}, 120_000);
afterAll(() => {
  web.close();
  opened.close();
});

describe('folders', () => {
  test('the shallowest folder with the file, whatever was picked', () => {
    const blob = new Blob();
    const picked = new Map(
      ['a/b/plan.json', 'a/b/kernels/x.wgsl', 'a/b/c/plan.json', 'z/other'].map(n => [n, blob]),
    );
    expect([...folderWith('plan.json', picked).keys()]).toEqual([
      'plan.json',
      'kernels/x.wgsl',
      'c/plan.json',
    ]);
    expect(() => folderWith('config.json', picked)).toThrow('config.json');
  });

  test('tensors and tokens are those that are read from the disk', async () => {
    const checkpoint = openCheckpoint(join(folder, 'model'));
    const files = folderOf(join(folder, 'model'));
    const tensors = await tensorsIn(files);
    for (const [name, range] of [
      ['model.embed_tokens.weight', { from: 5, count: 40 }],
      ['model.norm.weight', undefined],
    ] as const)
      expect(await tensors(name, range)).toEqual(checkpoint.readF32(name, range));
    expect((await tokenizerIn(files, checkpoint.shape.vocabulary)).encode('1+2=')).toEqual(
      web.tokenizer.encode('1+2='),
    );
    checkpoint.close();
  });

  test.each([
    ['a file that is cut off', 'bad-safetensors', (bytes: Blob) => [bytes.slice(0, bytes.size - 8)]],
    ['no file at all', 'file-not-found', () => []],
    ['two files with one tensor', 'bad-checkpoint', (bytes: Blob) => [bytes, bytes]],
  ])('%s: %s', async (_, code, files) => {
    const bytes = Bun.file(join(folder, 'model/model.safetensors'));
    const broken = new Map(files(bytes).map((file, i) => [`${i}.safetensors`, file]));
    expect(await codeOf(tensorsIn(broken))).toBe(code);
  });

  test('a changed kernel is refused', async () => {
    const files = new Map(folderOf(join(folder, 'tiny.mosplan')));
    const [path] = [...files.keys()].filter(name => name.endsWith('.wgsl'));
    files.set(path, new Blob(['fn main() {}']));
    expect(await codeOf(WebModel.open(files, folderOf(folder)))).toBe('plan-damaged');
  });
});

async function codeOf(work: Promise<unknown>): Promise<string> {
  const error = await work.catch((thrown: unknown) => thrown);
  return error instanceof MosError ? error.diagnostics[0].code : String(error);
}

describe('a model', () => {
  const data = [Bun.file(join(folder, 'data.jsonl'))];

  test('trains as the command line does, to the last bit', async () => {
    const seen: number[] = [];
    const result = await web.train(data, { onStep: e => seen.push(e.loss) });
    expect(seen).toEqual(losses);
    expect(result).toMatchObject({ steps: 3, stopped: false, loss: losses[2] });
    expect(await web.generate(PROMPTS, how)).toEqual(answers);
    const file = await web.adapterFile();
    expect(await file.bytes()).toEqual(
      await Bun.file(join(folder, 'run/adapter/adapter.safetensors')).bytes(),
    );
  });

  test('takes adapter files, switches them, and can be stopped', async () => {
    await web.off();
    const base = await web.generate(PROMPTS, how);
    expect(base).not.toEqual(answers);
    await web.add('file', Bun.file(join(folder, 'run/adapter/adapter.safetensors')));
    await web.use('file');
    expect(await web.generate(PROMPTS, how)).toEqual(answers);
    const controller = new AbortController();
    const part = await web.train(data, { signal: controller.signal, onStep: () => controller.abort() });
    expect(part).toEqual({ steps: 1, stopped: true, loss: losses[0] });
    expect(await codeOf(web.train([new Blob(['{"no": 1}'])]))).toBe('unknown-data-format');
  });

  test('routes are those of the telemetry: one space per token and module under top1', async () => {
    await web.use('file');
    const { tokens, sites } = await web.routes('1+2=3.');
    expect(tokens.join('')).toContain('1+2=3.');
    expect(sites.map(s => s.module)).toEqual(web.plan.sites.map(s => s.module));
    for (const { gates, spaces } of sites) {
      expect(spaces).toEqual(['hyperbolic', 'euclid']);
      expect(gates).toHaveLength(tokens.length);
      for (const gate of gates) expect(gate.filter(g => g > 0)).toHaveLength(1);
    }
    for (const weights of meanRoutes(sites))
      expect([...weights.values()].reduce((a, b) => a + b, 0)).toBeCloseTo(1, 12);
    // More than one piece of the prompt: the same routes for the tokens they share.
    const again = await web.routes('1+2=3.4');
    expect(again.sites[0].gates.slice(0, 6)).toEqual(sites[0].gates.slice(0, 6));
  });
});
