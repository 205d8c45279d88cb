/**
 * examples/embed-browser in a real browser, driven as a person would: files are picked, five steps trained, a question asked,
 * the adapter switched. Its losses are those of the command line on the same program and seed.
 */
import { afterAll, expect, test } from 'bun:test';
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { doneRoute, findBrowser, visit } from '../hosts/browser.ts';
import type { Seen } from './drive.ts';
import { folderOf, trainTiny } from './folders.ts';

const EXAMPLE = join(import.meta.dir, '../../examples/embed-browser');
const STEPS = 5;
const PROGRAM = `adapter q_proj, down_proj < rank: 4; alpha: 64; experts: hyperbolic, sphere, euclid; router: top1 >
data "data.jsonl" < length: 16 >
train < steps: ${STEPS}; batch: 2; lr: 5e-2 >`;
/** One of them is answered differently by the base and by the adapter. */
const QUESTIONS = ['1+2=', '9+9=', 'a', 'what is 3?', '7', '?', '4+4=8.', '0'];
/** Another implementation of WebGPU may order sums differently; loss, nats. */
const TOLERANCE = 1e-4;

const folder = mkdtempSync(join(tmpdir(), 'mos-page-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const browser = await findBrowser();
afterAll(() => {
  if (typeof browser !== 'string') browser.close();
});

/** The page as it is published, its script built, and the script that drives it. */
async function buildSite(): Promise<string> {
  const site = join(folder, 'site');
  for (const [entry, naming] of [
    [join(EXAMPLE, 'app.ts'), 'app.js'],
    [join(import.meta.dir, 'drive.ts'), 'drive.js'],
  ])
    await Bun.build({ entrypoints: [entry], outdir: site, naming, target: 'browser', format: 'iife' });
  for (const file of ['index.html', 'style.css']) copyFileSync(join(EXAMPLE, file), join(site, file));
  return site;
}

async function driven(): Promise<void> {
  if (typeof browser === 'string') return;
  const trained = await trainTiny(folder, PROGRAM);
  using model = trained.model;
  const { losses } = trained;
  // As long as the page lets them be.
  const answers = async () => {
    const texts: string[] = [];
    for (const q of QUESTIONS)
      texts.push(await model.generate(q, { maxTokens: Math.min(64, model.room(q)) }));
    return texts;
  };
  const off = await answers();
  await model.use('trained');
  const on = await answers();
  const telling = QUESTIONS.findIndex((_, i) => off[i] !== on[i]);
  const site = await buildSite();
  const done = Promise.withResolvers<Seen>();
  const html = await Bun.file(join(site, 'index.html')).text();
  const server = Bun.serve({
    hostname: '127.0.0.1',
    port: 0,
    routes: {
      '/': new Response(html.replace('</head>', '<script defer src="drive.js"></script></head>'), {
        headers: { 'content-type': 'text/html' },
      }),
      '/question': new Response(QUESTIONS[telling]),
      '/files': () =>
        Response.json({
          plan: [...folderOf(join(folder, 'tiny.mosplan')).keys()].map(path => `tiny.mosplan/${path}`),
          model: [...folderOf(join(folder, 'model')).keys()].map(path => `model/${path}`),
          data: ['data.jsonl'],
          adapter: ['run/adapter/adapter.safetensors'],
        }),
      '/done': doneRoute(done),
    },
    fetch(request) {
      const path = decodeURIComponent(new URL(request.url).pathname);
      const file = Bun.file(path.startsWith('/files/') ? join(folder, path.slice(7)) : join(site, path));
      return new Response(file);
    },
  });
  try {
    const seen = await visit(browser, server.url.href, done.promise);
    expect(seen.losses).toHaveLength(STEPS);
    for (const [i, loss] of seen.losses.entries()) expect(Math.abs(loss - losses[i])).toBeLessThan(TOLERANCE);
    expect(seen.points).toBe(STEPS);
    expect(seen.choices).toEqual(['', 'file', 'trained']);
    expect(seen.answers).toEqual({ off: off[telling], file: on[telling], trained: on[telling] });
    expect(seen.spaces.length).toBeGreaterThan(0);
    for (const space of seen.spaces) expect(['hyperbolic', 'sphere', 'euclid']).toContain(space);
    expect(seen.legend).toEqual(['hyperbolic', 'sphere', 'euclid']);
    expect(seen.stopped).toMatch(/^Trained for [12] steps?:/);
    expect(seen.error).toContain('unknown-data-format');
  } finally {
    server.stop(true);
  }
}

const name = 'the page trains, answers, switches adapters and shows routes';
if (typeof browser === 'string') test.skip(`${name} (${browser})`, driven);
else test(name, driven, 600_000);
