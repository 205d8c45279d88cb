/**
 * A Hugging Face hub over HTTP: what a repository holds, and its files from any byte on. Redirects are followed by hand,
 * because the token may go to the hub alone and files come from elsewhere; addresses in messages lose their queries, which
 * carry signatures.
 */
import { z } from 'zod';
import { fault } from '../report/fault.ts';
import { COMMIT, type Repository } from './cache.ts';
import { quote } from './files.ts';

export interface Hub {
  endpoint: string;
  token?: string | undefined;
  /** Milliseconds; tests do not wait. */
  sleep: (ms: number) => Promise<void>;
}

/** A file of a repository, and how to prove that it arrived whole. */
export interface RemoteFile {
  name: string;
  /** Bytes. */
  size: number;
  /** SHA-256 of the content (large files), or the SHA-1 of git's blob; in hex. Names the blob in the cache. */
  hash: string;
}

export interface Listing {
  commit: string;
  files: Map<string, RemoteFile>;
}

const LARGEST_LISTING = 64 * 2 ** 20;
const MOST_REDIRECTS = 5;
/** Tries without a single new byte between them, and the wait before the second. */
export const ATTEMPTS = 6;
const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 30_000;
/** Silence on a connection after which it counts as cut. */
const SILENCE_MS = 60_000;
const SILENT = `silent for ${SILENCE_MS / 1000} s`;
const RETRIED = new Set([408, 425, 429, 500, 502, 503, 504, 520, 522, 524]);

const hex = (digits: number) => z.string().regex(new RegExp(`^[0-9a-f]{${digits}}$`));
const bytes = z
  .int()
  .min(0)
  .max(2 ** 48);
const LISTING = z.object({
  sha: z.string().regex(COMMIT),
  siblings: z.array(
    z.object({
      rfilename: z.string(),
      size: bytes.nullish(),
      blobId: hex(40).nullish(),
      lfs: z.object({ sha256: hex(64), size: bytes }).nullish(),
    }),
  ),
});

/** A problem that another try may cure. */
export class Passing extends Error {}

/** What to do before try number `attempt` + 1. */
export const backOff = ({ sleep }: Hub, attempt: number): Promise<void> =>
  sleep(Math.min(FIRST_WAIT_MS * 2 ** attempt, LONGEST_WAIT_MS));

/** The commit and the files of a repository at a revision. Faults: `model-not-accessible`, `download-failed`. */
export async function listRepository(hub: Hub, { id, revision }: Repository): Promise<Listing> {
  const url = `${hub.endpoint}/api/models/${id}/revision/${encodeURIComponent(revision)}?blobs=true`;
  for (let attempt = 0; ; attempt++) {
    try {
      const response = await request(hub, url, id);
      return readListing(await textOf(response), id);
    } catch (error) {
      if (!(error instanceof Passing)) throw error;
      if (attempt + 1 === ATTEMPTS) throw fault('download-failed', error.message);
      await backOff(hub, attempt);
    }
  }
}

/** A file's bytes from `from` on; the response says where it really starts (200: at the beginning). */
export const openRemote = (
  hub: Hub,
  { id, revision }: Repository,
  name: string,
  from: number,
): Promise<Response> =>
  request(
    hub,
    `${hub.endpoint}/${id}/resolve/${revision}/${encodeURIComponent(name)}`,
    id,
    from > 0 ? { range: `bytes=${from}-` } : {},
  );

/** The chunks of a body. Throws `Passing` when the connection is cut or falls silent. */
export async function* chunksOf(response: Response): AsyncGenerator<Uint8Array> {
  const reader = response.body?.getReader();
  if (!reader) return;
  try {
    for (;;) {
      const { done, value } = await withTimeout(reader.read());
      if (done) return;
      yield value;
    }
  } catch (error) {
    throw passing(response.url, error);
  } finally {
    reader.cancel().catch(() => {});
  }
}

/** One answer's head; a server that says nothing is hung up on. */
async function ask(at: URL, headers: Record<string, string>): Promise<Response> {
  const control = new AbortController();
  const timer = setTimeout(() => control.abort(new Error(SILENT)), SILENCE_MS);
  try {
    return await fetch(at, { headers, redirect: 'manual', signal: control.signal });
  } finally {
    clearTimeout(timer);
  }
}

async function request(
  hub: Hub,
  url: string,
  id: string,
  extra: Record<string, string> = {},
): Promise<Response> {
  const home = new URL(hub.endpoint).origin;
  let at = new URL(url);
  for (let hop = 0; hop <= MOST_REDIRECTS; hop++) {
    const headers: Record<string, string> = { 'user-agent': 'mos', 'accept-encoding': 'identity', ...extra };
    if (hub.token && at.origin === home) headers.authorization = `Bearer ${hub.token}`;
    let response: Response;
    try {
      response = await ask(at, headers);
    } catch (error) {
      throw passing(at.href, error);
    }
    const target = response.status >= 300 && response.status < 400 && response.headers.get('location');
    if (!target) return checkStatus(response, at, id, hub);
    await response.body?.cancel();
    const next = URL.canParse(target, at.href) ? new URL(target, at) : undefined;
    if (!next || !/^https?:$/.test(next.protocol) || (at.protocol === 'https:' && next.protocol === 'http:'))
      throw fault('download-failed', `${place(at.href)} redirects to what is no safe address`);
    at = next;
  }
  throw fault('download-failed', `${place(url)} redirects more than ${MOST_REDIRECTS} times`);
}

function checkStatus(response: Response, at: URL, id: string, hub: Hub): Response {
  const { status, headers } = response;
  if (response.ok || status === 416) return response;
  void response.body?.cancel();
  if (RETRIED.has(status)) throw new Passing(`${place(at.href)} answers with status ${status}`);
  if (status === 401 || status === 403 || status === 404) {
    const why = headers.get('x-error-code') ?? '';
    const what =
      why === 'RevisionNotFound'
        ? 'has no such revision'
        : why === 'GatedRepo' || status === 403
          ? 'is gated: its authors decide who may read it'
          : status === 404
            ? 'is not there, or not for everyone'
            : 'is not there, or needs a token';
    throw fault('model-not-accessible', `${quote(id)} ${what}`, {
      notes: [
        `${place(at.href)} answers with status ${status}`,
        hub.token
          ? 'a token was sent'
          : 'there is no token: neither HF_TOKEN nor the file that logging in writes',
      ],
      help:
        why === 'RevisionNotFound'
          ? 'name a branch, tag or commit after the `@`'
          : `check the name; accept the terms at ${hub.endpoint}/${id} and set HF_TOKEN`,
    });
  }
  throw fault('download-failed', `${place(at.href)} answers with status ${status}`);
}

async function textOf(response: Response): Promise<string> {
  const parts: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of chunksOf(response)) {
    size += chunk.length;
    if (size > LARGEST_LISTING)
      throw fault('file-too-large', 'the list of files is larger than any repository');
    parts.push(chunk);
  }
  return Buffer.concat(parts).toString('utf8');
}

function readListing(text: string, id: string): Listing {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    throw fault('download-damaged', `what the server says about ${quote(id)} is not JSON`);
  }
  const parsed = LISTING.safeParse(json);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw fault(
      'download-damaged',
      `what the server says about ${quote(id)}: ${issue.path.join('.')} is wrong`,
    );
  }
  const files = new Map<string, RemoteFile>();
  for (const { rfilename: name, size, blobId, lfs } of parsed.data.siblings) {
    const hash = lfs?.sha256 ?? blobId;
    const length = lfs?.size ?? size;
    if (hash != null && length != null) files.set(name, { name, size: length, hash });
  }
  return { commit: parsed.data.sha, files };
}

/** An address without its query. */
function place(url: string): string {
  const { origin, pathname } = new URL(url);
  return quote(origin + pathname);
}

function passing(url: string, error: unknown): Error {
  if (error instanceof Passing) return error;
  const reason = error instanceof Error ? error.message : String(error);
  return new Passing(`${url ? place(url) : 'the server'}: ${reason.replace(/https?:\S+/g, '…')}`);
}

function withTimeout<T>(work: Promise<T>): Promise<T> {
  let timer: ReturnType<typeof setTimeout>;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(SILENT)), SILENCE_MS);
  });
  return Promise.race([work, late]).finally(() => clearTimeout(timer));
}
