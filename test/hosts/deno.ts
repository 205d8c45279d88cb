/** Deno from npm, with a GPU on which its WebGPU ends our cases. */
import { spawnSync } from 'node:child_process';

export const DENO = ['npx', '-y', 'deno@2.9.6'];
const PROBE = 'console.log((await navigator.gpu?.requestAdapter())?.info.description ?? "none")';

/**
 * The environment to start Deno in, or why there is none. On SwiftShader a case of one adapter had not come to an end after five
 * minutes, one core busy all along; the reason is not known. So Deno gets the machine's own drivers, which may be Mesa's
 * llvmpipe.
 */
export function findDeno(): NodeJS.ProcessEnv | string {
  const { LD_LIBRARY_PATH, VK_ADD_DRIVER_FILES, VK_LOADER_DRIVERS_DISABLE, ...env } = process.env;
  const { status, stdout } = spawnSync(DENO[0], [...DENO.slice(1), 'eval', PROBE], {
    env,
    timeout: 300_000,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  if (status !== 0) return '`npx deno` cannot be had here';
  if (stdout.trim() === 'none') return 'no driver but SwiftShader, on which a case does not end';
  return env;
}
