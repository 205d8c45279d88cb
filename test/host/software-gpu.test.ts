/** Unpacking the software GPU: complete or absent, whoever else does the same at the same time. */
import { afterAll, describe, expect, test } from 'bun:test';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { softwareGpu } from '../../src/host/software-gpu.ts';

const MODULE = join(import.meta.dir, '../../src/host/software-gpu.ts');
const scratch = mkdtempSync(join(tmpdir(), 'mos-test-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

/** Asks a fresh process with its own cache folder; resolves to the folder found and what is left of it afterwards. */
async function locate(cache: string): Promise<{ folder: string; files: string[] }> {
  const script = `import { readdirSync } from 'node:fs';
    const found = (await import(${JSON.stringify(MODULE)})).softwareGpu();
    console.log(JSON.stringify({ folder: found.folder, files: readdirSync(found.folder).sort() }));`;
  const env: Record<string, string | undefined> = { ...process.env, XDG_CACHE_HOME: cache };
  delete env.MOS_SOFTWARE_GPU;
  const child = Bun.spawn([process.execPath, '-e', script], { env, stdout: 'pipe', stderr: 'inherit' });
  return JSON.parse(await new Response(child.stdout).text());
}

const software = softwareGpu();
const FILES = ['libvk_swiftshader.so', 'libvulkan.so.1', 'vk_swiftshader_icd.json'];

describe.skipIf(!software.found || !software.loader)('software GPU from its package', () => {
  test('four processes at once leave one complete folder', async () => {
    const cache = join(scratch, 'shared');
    const found = await Promise.all([1, 2, 3, 4].map(() => locate(cache)));
    for (const { folder, files } of found) expect([folder, files]).toEqual([found[0].folder, FILES]);
    expect(readdirSync(join(cache, 'mos'))).toHaveLength(1);
    expect(statSync(found[0].folder).mode & 0o077).toBe(0);
  });

  test('what a killed process left aside does no harm', async () => {
    const cache = join(scratch, 'killed');
    mkdirSync(join(cache, 'mos', '.swiftshader-0-1'), { recursive: true });
    writeFileSync(join(cache, 'mos', '.swiftshader-0-1', 'libvulkan.so.1'), 'half');
    expect((await locate(cache)).files).toEqual(FILES);
  });

  test('without a writable cache it lives as long as the process', async () => {
    const cache = join(scratch, 'file');
    writeFileSync(cache, 'not a folder');
    const { folder, files } = await locate(cache);
    expect(files).toEqual(FILES);
    expect(existsSync(folder)).toBe(false);
  });
});

test('there is a software GPU, or a reason why not', () => {
  if (software.found) {
    expect(software.environment.VK_ADD_DRIVER_FILES).toEndWith('vk_swiftshader_icd.json');
    expect(software.environment.VK_DRIVER_FILES).toBeUndefined();
  } else {
    expect(software.why).toMatch(/^\S.*[^.]$/);
  }
});
