/**
 * Fetches what a model needs of a repository into the cache (layout: cache.ts). A file grows as `blobs/HASH.incomplete`,
 * is proved by its hash, renamed and linked; the revision is written last, so a model that is found by name is whole.
 */
import { createHash, type Hash } from 'node:crypto';
import {
  closeSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  rmSync,
  statSync,
  symlinkSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { realFiles, replaceFile, syncFolder, systemCode, writeAll } from '../host/files.ts';
import { hubCache } from '../host/hugging-face.ts';
import { lockFolder } from '../host/lock.ts';
import { fault } from '../report/fault.ts';
import { COMMIT, type Repository, repositoryFolder } from './cache.ts';
import { openForReading, quote, readFully, readJson, SMALL_JSON } from './files.ts';
import {
  ATTEMPTS,
  backOff,
  chunksOf,
  type Hub,
  type Listing,
  listRepository,
  openRemote,
  Passing,
  type RemoteFile,
} from './hub.ts';

export interface PullOptions {
  hub: Hub;
  cache?: string;
  /** Bytes there are and bytes there will be, over all files. */
  onProgress?: (done: number, total: number, file: string) => void;
}

export interface Pulled {
  folder: string;
  commit: string;
  files: string[];
  /** Bytes of all files, and of those that had to be fetched now. */
  bytes: number;
  fetched: number;
}

const WEIGHTS = 'model.safetensors';
const INDEX = 'model.safetensors.index.json';
/** What belongs to a model besides its weights, where it is there. */
export const MODEL_FILES = [
  'config.json',
  'generation_config.json',
  'tokenizer.json',
  'tokenizer_config.json',
  'special_tokens_map.json',
  'added_tokens.json',
  'chat_template.jinja',
  'LICENSE',
];
const PLAIN_NAME = /^[A-Za-z0-9_][\w.-]{0,250}$/;
const PIECE = 2 ** 20;

/**
 * Fetches a model. Faults: `model-not-accessible`, `download-failed` (what arrived is kept), `download-damaged`,
 * `not-enough-disk`, `bad-checkpoint` for a repository that is no model of ours, `unsafe-path`, `folder-in-use`.
 */
export async function pull(
  repository: Repository,
  { hub, cache = hubCache(), onProgress }: PullOptions,
): Promise<Pulled> {
  const listing = await listRepository(hub, repository);
  const root = repositoryFolder(repository.id, cache);
  const lock = lockFolder(root);
  try {
    const at = { id: repository.id, revision: listing.commit };
    const get = new Fetch(hub, at, root);
    const files = MODEL_FILES.flatMap(name => listing.files.get(name) ?? []);
    const shards = await weightFiles(listing, get);
    files.push(...shards);
    const bytes = files.reduce((sum, f) => sum + f.size, 0);
    const missing = files.reduce((sum, f) => sum + get.missing(f), 0);
    checkSpace(root, missing);
    let done = bytes - missing;
    for (const file of files)
      await get.file(file, count => {
        done += count;
        onProgress?.(done, bytes, file.name);
      });
    if (!COMMIT.test(repository.revision)) {
      const ref = join(root, 'refs', repository.revision);
      mkdirSync(dirname(ref), { recursive: true });
      replaceFile(realFiles, ref, [new TextEncoder().encode(listing.commit)]);
    }
    return {
      folder: get.snapshot,
      commit: listing.commit,
      files: files.map(f => f.name),
      bytes,
      fetched: missing,
    };
  } catch (error) {
    const code = systemCode(error);
    if (code) throw fault('unwritable-file', `${quote(root)} cannot be written (${code})`);
    throw error;
  } finally {
    lock.release();
  }
}

/** The safetensors files of a model: one, or those that its index names. */
async function weightFiles({ files }: Listing, get: Fetch): Promise<RemoteFile[]> {
  if (!files.has('config.json')) throw fault('bad-checkpoint', 'the repository has no config.json');
  const single = files.get(WEIGHTS);
  if (single) return [single];
  const index = files.get(INDEX);
  if (!index)
    throw fault('bad-checkpoint', `the repository has neither ${WEIGHTS} nor ${INDEX}`, {
      help: 'pull a repository with safetensors weights; other formats have to be converted first',
    });
  if (index.size > SMALL_JSON.maxBytes * 16)
    throw fault('file-too-large', `${INDEX} has ${index.size} bytes`);
  const path = await get.file(index, () => {});
  const json = readJson(path, { ...SMALL_JSON, maxBytes: index.size });
  const map = (json as { weight_map?: unknown } | null)?.weight_map;
  const names = new Set(Object.values(typeof map === 'object' && map !== null ? map : {}).map(String));
  if (names.size === 0) throw fault('bad-checkpoint', `${INDEX} names no files`);
  return [
    index,
    ...[...names].map(name => {
      if (!PLAIN_NAME.test(name) || !name.endsWith('.safetensors'))
        throw fault(
          'unsafe-path',
          `${INDEX} names ${quote(name)}, which is no plain name of a safetensors file`,
        );
      const shard = files.get(name);
      if (!shard) throw fault('bad-checkpoint', `${INDEX} names ${quote(name)}, which the repository lacks`);
      return shard;
    }),
  ];
}

/** Half a gigabyte stays free for everyone else. */
const SPARE = 512 * 2 ** 20;

function checkSpace(folder: string, missing: number): void {
  const free = realFiles.free(folder);
  if (missing === 0 || free === undefined || missing + SPARE <= free) return;
  const gigabytes = (bytes: number) => `${(bytes / 1e9).toFixed(1)} GB`;
  throw fault(
    'not-enough-disk',
    `${gigabytes(missing)} are to be fetched, ${gigabytes(free)} are free in ${quote(folder)}`,
  );
}

class Fetch {
  readonly snapshot: string;
  private readonly blobs: string;
  private readonly hub: Hub;
  private readonly at: Repository;

  /** `at`: a repository at a commit; `root`: its folder in the cache. */
  constructor(hub: Hub, at: Repository, root: string) {
    this.hub = hub;
    this.at = at;
    this.blobs = join(root, 'blobs');
    this.snapshot = join(root, 'snapshots', at.revision);
    for (const folder of [this.blobs, this.snapshot]) mkdirSync(folder, { recursive: true });
  }

  /** Bytes of a file that are not here yet. */
  missing({ hash, size }: RemoteFile): number {
    const blob = join(this.blobs, hash);
    return existsSync(blob) ? 0 : size - Math.min(size, sizeOf(`${blob}.incomplete`));
  }

  /** Path of the file in the snapshot, fetched if need be; `arrived` hears of every piece, negative when it was in vain. */
  async file(file: RemoteFile, arrived: (bytes: number) => void): Promise<string> {
    const blob = join(this.blobs, file.hash);
    if (!existsSync(blob)) await this.download(file, blob, arrived);
    const path = join(this.snapshot, file.name);
    if (!sameFile(path, blob)) link(`../../blobs/${file.hash}`, blob, path);
    return path;
  }

  private async download(file: RemoteFile, blob: string, arrived: (bytes: number) => void): Promise<void> {
    const partial = `${blob}.incomplete`;
    let resumed = sizeOf(partial) > 0;
    for (let attempt = 0; ; ) {
      const before = sizeOf(partial);
      try {
        const hash = await this.append(file, partial, arrived);
        if (hash === file.hash) break;
        // Bytes from an earlier run may be what is wrong; those of this run are believed to be what was sent.
        arrived(-sizeOf(partial));
        rmSync(partial, { force: true });
        if (!resumed)
          throw fault(
            'download-damaged',
            `${quote(file.name)} is not the file that the repository lists: its hash or size differs`,
          );
        resumed = false;
      } catch (error) {
        if (!(error instanceof Passing)) throw error;
        attempt = sizeOf(partial) > before ? 0 : attempt + 1;
        if (attempt === ATTEMPTS) throw fault('download-failed', `${quote(file.name)}: ${error.message}`);
        await backOff(this.hub, attempt);
      }
    }
    realFiles.rename(partial, blob);
    syncFolder(realFiles, this.blobs);
  }

  /** Adds what is missing to a partial file and gives the hash of the whole, or something that is none. Throws `Passing` when it ends too early. */
  private async append(file: RemoteFile, partial: string, arrived: (bytes: number) => void): Promise<string> {
    let have = sizeOf(partial);
    if (have > file.size) {
      arrived(-have);
      rmSync(partial);
      have = 0;
    }
    const response =
      have < file.size || have === 0 ? await openRemote(this.hub, this.at, file.name, have) : undefined;
    // Only a partial answer that starts where we stopped is appended.
    if (response && have > 0 && !(response.status === 206 && startOf(response) === have)) {
      arrived(-have);
      rmSync(partial);
      have = 0;
      if (response.status !== 200) throw new Passing('the server cannot go on in the middle of a file');
    }
    const hash = hashFor(file);
    if (have > 0) update(hash, partial, have);
    const handle = openSync(partial, 'a', 0o644);
    try {
      for await (const chunk of response ? chunksOf(response) : []) {
        if (have + chunk.length > file.size) return 'too long';
        writeAll(realFiles, handle, chunk);
        hash.update(chunk);
        have += chunk.length;
        arrived(chunk.length);
      }
      realFiles.sync(handle);
    } finally {
      closeSync(handle);
    }
    if (have < file.size) throw new Passing(`it ended after ${have} of ${file.size} bytes`);
    return hash.digest('hex');
  }
}

const sizeOf = (path: string): number => statSync(path, { throwIfNoEntry: false })?.size ?? 0;

function sameFile(a: string, b: string): boolean {
  const [first, second] = [a, b].map(path => statSync(path, { throwIfNoEntry: false }));
  return first !== undefined && first.ino === second?.ino && first.dev === second.dev;
}

const startOf = (response: Response): number =>
  Number(/^bytes (\d+)-/.exec(response.headers.get('content-range') ?? '')?.[1] ?? -1);

/** Git names a blob by the SHA-1 of a small header and the content. */
function hashFor({ hash, size }: RemoteFile): Hash {
  return hash.length === 64 ? createHash('sha256') : createHash('sha1').update(`blob ${size}\0`);
}

function update(hash: Hash, path: string, size: number): void {
  const { handle } = openForReading(path);
  try {
    for (let at = 0; at < size; at += PIECE) {
      const piece = new Uint8Array(Math.min(PIECE, size - at));
      readFully(handle, piece, at, path);
      hash.update(piece);
    }
  } finally {
    closeSync(handle);
  }
}

function link(target: string, blob: string, path: string): void {
  if (lstatSync(path, { throwIfNoEntry: false })) rmSync(path);
  try {
    symlinkSync(target, path);
  } catch (error) {
    // Windows without the right to make links.
    if (systemCode(error) !== 'EPERM') throw error;
    linkSync(blob, path);
  }
}
