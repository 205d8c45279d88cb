/** Where things that can be made again are kept. */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';

/**
 * The user's cache. Without a writable home: a private folder for this run, as code must not come from a name that
 * others can guess and fill.
 */
export function cacheFolder(): string {
  const base = process.env.XDG_CACHE_HOME || join(homedir(), '.cache');
  try {
    const folder = join(base, 'mos');
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const probe = mkdtempSync(join(folder, '.probe-'));
    rmSync(probe, { recursive: true });
    return folder;
  } catch {
    const folder = mkdtempSync(join(tmpdir(), 'mos-'));
    process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
    return folder;
  }
}
