/** `mos pull` against a hub of our own: what it fetches, what it resumes, and what it never does. */
import { afterAll, afterEach, beforeEach, describe, expect, test } from 'bun:test';
import { createHash } from 'node:crypto';
import {
  existsSync,
  lstatSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findModel, parseRepository } from '../../src/model/cache.ts';
import { openCheckpoint } from '../../src/model/checkpoint.ts';
import { openTokenizer } from '../../src/model/open-tokenizer.ts';
import { type Pulled, type PullOptions, pull } from '../../src/model/pull.ts';
import { Fault } from '../../src/report/fault.ts';
import { mos } from '../cli/run.ts';

const TINY = join(import.meta.dir, '../../examples/models/tiny-qwen2');
const SHARDED = join(import.meta.dir, '../golden/models/sharded');
const COMMIT = '0123456789abcdef0123456789abcdef01234567';
const TOKEN = 'hf_thisisasecret';
const WEIGHTS = 'model.safetensors';

const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');
const blobId = (bytes: Uint8Array) =>
  createHash('sha1').update(`blob ${bytes.length}\0`).update(bytes).digest('hex');

/** What the hub does; a test changes what it needs. */
interface Behaviour {
  files: Map<string, Uint8Array>;
  /** Told instead of a file's own hash. */
  hashes: Map<string, string>;
  /** Bytes after which each answer in turn is cut off; odd: the connection breaks. */
  cuts: number[];
  /** Statuses answered, in turn, before the real answer. */
  statuses: number[];
  headers: Record<string, string>;
  ranges: boolean;
  /** Large files are redirected to the other host. */
  elsewhere: boolean;
}

let hub: Behaviour;
/** Every request: host, path, range and whether it had a token. */
let asked: { cdn: boolean; path: string; range: string | null; token: boolean }[] = [];

async function serve(cdn: boolean, request: Request): Promise<Response> {
  const { pathname } = new URL(request.url);
  const range = request.headers.get('range');
  asked.push({ cdn, path: pathname, range, token: request.headers.has('authorization') });
  const status = hub.statuses.shift();
  if (status !== undefined) return new Response('no', { status, headers: hub.headers });
  if (pathname.startsWith('/api/')) return Response.json(listing());
  const name = decodeURIComponent(pathname.split('/').at(-1)!);
  const bytes = hub.files.get(name);
  if (!bytes) return new Response('no', { status: 404 });
  if (hub.elsewhere && !cdn && name === WEIGHTS)
    return Response.redirect(`http://127.0.0.1:${other.port}/signed/${name}?signature=secret`, 302);
  const from = hub.ranges ? Number(/bytes=(\d+)-/.exec(range ?? '')?.[1] ?? 0) : 0;
  const cut = name === WEIGHTS ? hub.cuts.shift() : undefined;
  const headers =
    from > 0 ? { 'content-range': `bytes ${from}-${bytes.length - 1}/${bytes.length}` } : undefined;
  if (cut === undefined) return new Response(bytes.slice(from), { status: from > 0 ? 206 : 200, headers });
  let sent = false;
  const body = new ReadableStream({
    async pull(controller) {
      if (!sent) controller.enqueue(bytes.slice(from, from + cut));
      else if (cut % 2) controller.error(new Error('cut'));
      else controller.close();
      sent = true;
      await Bun.sleep(5);
    },
  });
  return new Response(body, { status: from > 0 ? 206 : 200, headers });
}

const listing = () => ({
  sha: COMMIT,
  siblings: [...hub.files].map(([rfilename, bytes]) => {
    const told = hub.hashes.get(rfilename);
    return rfilename.endsWith('.safetensors')
      ? {
          rfilename,
          size: bytes.length,
          blobId: blobId(bytes),
          lfs: { sha256: told ?? sha256(bytes), size: bytes.length },
        }
      : { rfilename, size: bytes.length, blobId: told ?? blobId(bytes) };
  }),
});

const main = Bun.serve({ port: 0, fetch: request => serve(false, request) });
const other = Bun.serve({ port: 0, fetch: request => serve(true, request) });
const endpoint = `http://localhost:${main.port}`;
const folders: string[] = [];
let cache: string;

const filesOf = (folder: string) =>
  new Map<string, Uint8Array>(readdirSync(folder).map(name => [name, readFileSync(join(folder, name))]));

beforeEach(() => {
  cache = mkdtempSync(join(tmpdir(), 'mos-pull-'));
  folders.push(cache);
  asked = [];
  hub = {
    files: filesOf(TINY),
    hashes: new Map(),
    cuts: [],
    statuses: [],
    headers: {},
    ranges: true,
    elsewhere: false,
  };
});
afterEach(() => rmSync(cache, { recursive: true, force: true }));
afterAll(() => {
  main.stop(true);
  other.stop(true);
});

const waits: number[] = [];
const run = (text = 'some/model', options: Partial<PullOptions> = {}): Promise<Pulled> =>
  pull(parseRepository(text)!, {
    hub: { endpoint, token: TOKEN, sleep: async ms => void waits.push(ms) },
    cache,
    ...options,
  });

async function faultOf(work: Promise<unknown>): Promise<Fault['diagnostics'][number]> {
  try {
    await work;
  } catch (error) {
    if (error instanceof Fault) return error.diagnostics[0];
    throw error;
  }
  throw new Error('there was no fault');
}

const blobs = () => readdirSync(join(cache, 'models--some--model/blobs')).sort();
const incomplete = () => blobs().filter(name => name.endsWith('.incomplete'));
const weightRequests = () => asked.filter(a => a.path.endsWith(WEIGHTS));

describe('what arrives', () => {
  test('a model that opens by its name, in the layout that others read, and without what is not needed', async () => {
    hub.files.set('pytorch_model.bin', new Uint8Array(9)).set('README.md', new Uint8Array(3));
    const { folder, commit, files, fetched, bytes } = await run();
    expect(commit).toBe(COMMIT);
    expect(fetched).toBe(bytes);
    expect(files).toContain('tokenizer.json');
    expect(files).not.toContain('pytorch_model.bin');
    expect(readFileSync(join(cache, 'models--some--model/refs/main'), 'utf8')).toBe(COMMIT);
    const weights = join(folder, WEIGHTS);
    expect(lstatSync(weights).isSymbolicLink()).toBe(true);
    expect(readlinkSync(weights)).toBe(`../../blobs/${sha256(hub.files.get(WEIGHTS)!)}`);
    const found = findModel('some/model', '/nowhere', cache)!;
    expect(found).toEqual({ folder, pinned: `some/model@${COMMIT}` });
    expect(findModel(`some/model@${COMMIT}`, '.', cache)?.folder).toBe(folder);
    using checkpoint = openCheckpoint(found.folder);
    using original = openCheckpoint(TINY);
    expect(checkpoint.fingerprint()).toBe(original.fingerprint());
    expect(openTokenizer(found.folder, checkpoint.shape.vocabulary).encode('is a bird')).toEqual(
      openTokenizer(TINY, checkpoint.shape.vocabulary).encode('is a bird'),
    );
  });

  test('shards, by their index; a tag is a reference of its own', async () => {
    hub.files = filesOf(SHARDED);
    const { folder } = await run('some/model@v1/stable');
    using checkpoint = openCheckpoint(folder);
    expect(checkpoint.names().length).toBeGreaterThan(10);
    expect(readFileSync(join(cache, 'models--some--model/refs/v1/stable'), 'utf8')).toBe(COMMIT);
    expect(findModel('some/model', '.', cache)).toBeUndefined();
  });

  test('a second pull asks for the list alone', async () => {
    await run();
    asked = [];
    const seen: number[] = [];
    const { fetched } = await run('some/model', { onProgress: done => seen.push(done) });
    expect(fetched).toBe(0);
    expect(seen).toEqual([]);
    expect(asked.map(a => a.path)).toEqual(['/api/models/some/model/revision/main']);
  });

  test('progress reaches the size of all files, and never passes it', async () => {
    const seen: [number, number][] = [];
    const { bytes } = await run('some/model', { onProgress: (done, total) => seen.push([done, total]) });
    expect(seen.at(-1)).toEqual([bytes, bytes]);
    expect(seen.every(([done, total]) => done <= total)).toBe(true);
  });
});

describe('going on', () => {
  test('a cut connection is taken up where it broke', async () => {
    hub.cuts = [1000, 5000, 20_000];
    await run();
    expect(weightRequests().map(a => a.range)).toEqual([null, 'bytes=1000-', 'bytes=6000-', 'bytes=26000-']);
    expect(incomplete()).toEqual([]);
  });

  test('so is one that breaks with an error, from whatever has arrived', async () => {
    hub.cuts = [5001];
    const { folder } = await run();
    expect(weightRequests()).toHaveLength(2);
    openCheckpoint(folder).close();
  });

  test('so is what an earlier run has left', async () => {
    hub.cuts = [4000, ...new Array<number>(20).fill(0)];
    const told = await faultOf(run());
    expect(told.code).toBe('download-failed');
    expect(incomplete()).toHaveLength(1);
    expect(findModel('some/model', '.', cache)).toBeUndefined();
    hub.cuts = [];
    asked = [];
    const { fetched, bytes } = await run();
    expect(weightRequests().map(a => a.range)).toEqual(['bytes=4000-']);
    expect(fetched).toBeLessThan(bytes - 4000 + 1);
    openCheckpoint(findModel('some/model', '.', cache)!.folder).close();
  });

  test('a server without ranges sends the whole file again', async () => {
    hub.ranges = false;
    hub.cuts = [1000];
    const { folder } = await run();
    openCheckpoint(folder).close();
  });

  test('bytes left behind that are wrong cost a second download, no more', async () => {
    hub.cuts = [4000, ...new Array<number>(20).fill(0)];
    await faultOf(run());
    writeFileSync(join(cache, 'models--some--model/blobs', incomplete()[0]), new Uint8Array(4000));
    hub.cuts = [];
    const { folder } = await run();
    openCheckpoint(folder).close();
  });

  test('a partial file that is longer than the file starts anew', async () => {
    hub.cuts = [4000, ...new Array<number>(20).fill(0)];
    await faultOf(run());
    truncateSync(join(cache, 'models--some--model/blobs', incomplete()[0]), 10_000_000);
    hub.cuts = [];
    const { folder } = await run();
    openCheckpoint(folder).close();
  });

  test('a server that is out of order for a while is waited for, longer each time', async () => {
    hub.statuses = [503, 500, 429];
    waits.length = 0;
    await run();
    expect(waits).toEqual([500, 1000, 2000]);
    hub.statuses = new Array<number>(9).fill(502);
    expect((await faultOf(run())).code).toBe('download-failed');
  });
});

describe('what is refused', () => {
  test('another hash than the one listed: nothing of it stays, nothing else is lost', async () => {
    await run();
    const before = blobs();
    hub.files.set(WEIGHTS, new Uint8Array(2000).fill(7));
    hub.hashes.set(WEIGHTS, 'a'.repeat(64));
    expect((await faultOf(run())).code).toBe('download-damaged');
    expect(blobs()).toEqual(before);
    openCheckpoint(findModel('some/model', '.', cache)!.folder).close();
  });

  test('a small file is held to its hash, too', async () => {
    hub.hashes.set('config.json', 'b'.repeat(40));
    expect((await faultOf(run())).message).toContain('`config.json` is not the file');
  });

  test('names and hashes that would leave the cache', async () => {
    hub.files = filesOf(SHARDED);
    for (const name of [
      '../../evil.safetensors',
      '/etc/evil.safetensors',
      'a/b.safetensors',
      '..',
      'x.bin',
    ]) {
      const index = JSON.stringify({ weight_map: { 'model.norm.weight': name } });
      hub.files
        .set('model.safetensors.index.json', new TextEncoder().encode(index))
        .set(name, new Uint8Array(4));
      expect((await faultOf(run())).code).toBe('unsafe-path');
    }
    hub.files = filesOf(TINY);
    hub.hashes.set('config.json', '../../../../evil');
    expect((await faultOf(run())).code).toBe('download-damaged');
    expect(existsSync(join(cache, 'evil'))).toBe(false);
    for (const text of [
      'a/../b',
      '../a',
      'a/b/c',
      'a--b/c',
      'a/b@../x',
      'a/b@x//y',
      'a b/c',
      'a/b@',
      '/a/b',
      'a/.b',
    ])
      expect(parseRepository(text)).toBeUndefined();
  });

  test('what is gated, private or absent, with what to do about it', async () => {
    hub.statuses = [403];
    hub.headers = { 'x-error-code': 'GatedRepo' };
    const gated = await faultOf(run());
    expect(gated.code).toBe('model-not-accessible');
    expect(gated.message).toContain('is gated');
    expect(gated.help).toContain(`${endpoint}/some/model`);
    hub.statuses = [401];
    hub.headers = {};
    expect((await faultOf(run())).message).toContain('needs a token');
    hub.statuses = [404];
    expect((await faultOf(run())).message).toContain('is not there');
    hub.statuses = [404];
    hub.headers = { 'x-error-code': 'RevisionNotFound' };
    expect((await faultOf(run('some/model@nope'))).message).toContain('has no such revision');
  });

  test('a repository without safetensors', async () => {
    hub.files.delete(WEIGHTS);
    expect((await faultOf(run())).code).toBe('bad-checkpoint');
    for (const text of ['null', '[]', '{}', '{"weight_map": 3}']) {
      hub.files.set('model.safetensors.index.json', new TextEncoder().encode(text));
      expect((await faultOf(run())).code).toBe('bad-checkpoint');
    }
    hub.files = filesOf(TINY);
    hub.files.delete('config.json');
    expect((await faultOf(run())).message).toContain('has no config.json');
  });
});

describe('the token', () => {
  test('goes to the hub and to no other host', async () => {
    hub.elsewhere = true;
    await run();
    expect(asked.filter(a => a.cdn).map(a => a.path)).toEqual([`/signed/${WEIGHTS}`]);
    expect(asked.filter(a => a.cdn).some(a => a.token)).toBe(false);
    expect(asked.filter(a => !a.cdn).every(a => a.token)).toBe(true);
  });

  test('and is never shown, nor are signatures of addresses', async () => {
    hub.elsewhere = true;
    hub.cuts = new Array<number>(20).fill(0);
    const told = JSON.stringify(await faultOf(run()));
    expect(told).not.toContain(TOKEN);
    expect(told).not.toContain('secret');
  });
});

test('the command: a program that names the model compiles once it is there', async () => {
  const env = { HF_HUB_CACHE: cache, HF_ENDPOINT: endpoint, HF_TOKEN: TOKEN };
  const program = join(cache, 'program.mos');
  writeFileSync(program, 'model "some/model" < >\nadapter q_proj < rank: 4; experts: euclid >\n');
  const absent = await mos(['compile', program, '--out', join(cache, 'out')], { env });
  expect(absent.code).toBe(1);
  expect(absent.stderr).toContain('error[model-not-found]');
  expect(absent.stderr).toContain('`mos pull some/model` fetches it');
  const pulled = await mos(['pull', 'some/model'], { env });
  expect(pulled.stderr).not.toContain(TOKEN);
  expect(pulled.stdout).toContain('some/model at 0123456789ab');
  const compiled = await mos(['compile', program, '--out', join(cache, 'out')], { env });
  expect(compiled.stderr).toBe('');
  const plan = JSON.parse(readFileSync(join(cache, 'out/program.mosplan/plan.json'), 'utf8'));
  expect(plan.model.path).toBe(`some/model@${COMMIT}`);
  expect((await mos(['pull', 'some/model', '--json'], { env })).stdout).toContain('"fetched":0');
});
