/** A headless Chromium with WebGPU on SwiftShader: the machine's, or the one in the package that brings SwiftShader. */
import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, linkSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { softwareGpu } from '../../src/host/software-gpu.ts';

const INSTALLED = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];
const FLAGS = [
  '--headless',
  '--no-sandbox',
  '--no-zygote',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--enable-unsafe-webgpu',
  '--use-webgpu-adapter=swiftshader',
];

export interface Browser {
  path: string;
  /** Removes what was unpacked. */
  close(): void;
}

/** The browser, or why there is none. */
export async function findBrowser(): Promise<Browser | string> {
  const browser = await locate();
  if (typeof browser === 'string') return browser;
  const { status, stderr } = spawnSync(browser.path, ['--version'], { encoding: 'utf8', timeout: 60_000 });
  if (status === 0) return browser;
  browser.close();
  return `Chromium does not start here: ${stderr.trim().split('\n')[0]}`;
}

async function locate(): Promise<Browser | string> {
  const installed = INSTALLED.find(path => existsSync(path));
  if (installed) return { path: installed, close() {} };
  const software = softwareGpu();
  if (!software.found) return software.why;
  try {
    const { default: chromium } = await import('@sparticuz/chromium');
    const unpacked = await chromium.executablePath();
    // SwiftShader has to lie beside the browser.
    const folder = mkdtempSync(join(tmpdir(), 'mos-chromium-'));
    for (const file of readdirSync(software.folder))
      copyFileSync(join(software.folder, file), join(folder, file));
    const path = join(folder, 'chromium');
    linkSync(unpacked, path);
    return { path, close: () => rmSync(folder, { recursive: true, force: true }) };
  } catch (error) {
    return `Chromium cannot be unpacked: ${error instanceof Error ? error.message : error}`;
  }
}

/** Opens a page and lets it be until `until` settles; then the browser and its profile are gone. */
export async function visit<T>(browser: Browser, url: string, until: Promise<T>): Promise<T> {
  const profile = mkdtempSync(join(tmpdir(), 'mos-profile-'));
  const child = Bun.spawn([browser.path, ...FLAGS, `--user-data-dir=${profile}`, url], {
    stdout: 'ignore',
    stderr: 'pipe',
  });
  const told = new Response(child.stderr).text();
  const ended = child.exited.then(async code => {
    throw new Error(`Chromium ended with ${code} before the page was done:\n${(await told).slice(-2000)}`);
  });
  try {
    return await Promise.race([until, ended]);
  } finally {
    ended.catch(() => {});
    child.kill();
    await child.exited;
    rmSync(profile, { recursive: true, force: true });
  }
}

type Done<T> = Pick<ReturnType<typeof Promise.withResolvers<T>>, 'resolve' | 'reject'>;

/** The route of a server to which a page posts what it has seen, or as `failed` why there is nothing. */
export const doneRoute = <T>({ resolve, reject }: Done<T>) => ({
  async POST(request: Request) {
    const seen = (await request.json()) as T & { failed?: string };
    if (seen.failed) reject(new Error(seen.failed));
    else resolve(seen);
    return new Response();
  },
});
