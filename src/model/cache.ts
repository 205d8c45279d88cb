/**
 * Models by name: `OWNER/NAME`, or `OWNER/NAME@REVISION`, stands for a repository in the cache that Hugging Face's tools
 * share:
 *
 *     models--OWNER--NAME/refs/REVISION      the commit that a branch or tag stood at when it was fetched
 *                         snapshots/COMMIT/  links into blobs
 *                         blobs/HASH
 */
import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { hubCache } from '../host/hugging-face.ts';
import { type Fault, fault } from '../report/fault.ts';

export interface Repository {
  /** `OWNER/NAME`. */
  id: string;
  /** A branch, tag or commit. */
  revision: string;
}

export interface FoundModel {
  folder: string;
  /** `OWNER/NAME@COMMIT` of a cached repository: names these very files, wherever the cache is. */
  pinned?: string;
}

const DEFAULT_REVISION = 'main';
const PART = '[A-Za-z0-9](?:[\\w.-]{0,94}[A-Za-z0-9_])?';
const REPOSITORY = new RegExp(`^(${PART}/${PART})(?:@([\\w][\\w./-]{0,254}))?$`);
export const COMMIT = /^[0-9a-f]{40}$/;

/** Reads `OWNER/NAME` or `OWNER/NAME@REVISION`; undefined for anything else. */
export function parseRepository(text: string): Repository | undefined {
  const [, id, revision = DEFAULT_REVISION] = REPOSITORY.exec(text) ?? [];
  // `--` separates the parts of a folder's name, and a revision is a path below `refs`.
  if (id === undefined || /--|\.\./.test(id) || /\.\.|\/\/|\/$/.test(revision)) return undefined;
  return { id, revision };
}

/** Folder of a repository in the cache, whether it is there or not. */
export const repositoryFolder = (id: string, cache = hubCache()): string =>
  join(cache, `models--${id.replace('/', '--')}`);

/** The commit that a revision of a cached repository stands for. */
function commitOf({ id, revision }: Repository, cache: string): string | undefined {
  if (COMMIT.test(revision)) return revision;
  try {
    const commit = readFileSync(join(repositoryFolder(id, cache), 'refs', revision), 'utf8').trim();
    return COMMIT.test(commit) ? commit : undefined;
  } catch {
    return undefined;
  }
}

/** The model that `path` names, seen from `base`: a path that exists, else a repository in the cache. */
export function findModel(path: string, base = '.', cache = hubCache()): FoundModel | undefined {
  const folder = resolve(base, path);
  if (existsSync(folder)) return { folder };
  const repository = parseRepository(path);
  const commit = repository && commitOf(repository, cache);
  if (!commit) return undefined;
  const snapshot = join(repositoryFolder(repository.id, cache), 'snapshots', commit);
  return existsSync(snapshot) ? { folder: snapshot, pinned: `${repository.id}@${commit}` } : undefined;
}

/** What to say when `findModel` found nothing. */
export function modelNotFound(path: string, extra: Parameters<typeof fault>[2] = {}): Fault {
  if (!parseRepository(path)) return fault('model-not-found', `there is no model folder \`${path}\``, extra);
  return fault('model-not-found', `\`${path}\` is neither a folder nor a model in the cache`, {
    help: `\`mos pull ${path}\` fetches it; a folder is named by its path`,
    notes: [`the cache is ${hubCache()}`],
    ...extra,
  });
}
