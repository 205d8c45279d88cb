/**
 * The environment Dawn sees. `childEnvironment()` is for a process about to be started; `applyInProcess()` changes this
 * one, which must happen before `webgpu` is imported, and works under Bun only: assigning `process.env` there does not
 * reach the C library, so it calls libc's `setenv` and opens the Vulkan loader itself.
 */
import { softwareGpu } from './software-gpu.ts';

/** Variables of Dawn's node bindings that would change back end, adapter or validation behind our back. */
const DAWN_VARIABLES = [
  'DAWNNODE_BACKEND',
  'DAWNNODE_ADAPTER',
  'DAWNNODE_VALIDATE',
  'DAWNNODE_FLAGS',
  'DAWN_DEBUG_BREAK_ON_ERROR',
];

/** This process's environment, with the software GPU added and Dawn's own switches removed. */
export function childEnvironment(): Record<string, string> {
  const environment: Record<string, string> = {};
  for (const [name, value] of Object.entries(process.env)) {
    if (value !== undefined && !name.startsWith('DAWNNODE_') && !DAWN_VARIABLES.includes(name))
      environment[name] = value;
  }
  const software = softwareGpu();
  if (software.found) Object.assign(environment, software.environment);
  return environment;
}

let applied = false;

/** Does the same to this process, where that is possible. Safe to call more than once. */
export async function applyInProcess(): Promise<void> {
  if (applied) return;
  applied = true;
  const software = softwareGpu();
  const wanted = software.found ? software.environment : {};
  const unwanted = Object.keys(process.env).filter(
    name => name.startsWith('DAWNNODE_') || DAWN_VARIABLES.includes(name),
  );
  // A child of the supervisor was started right and needs nothing.
  const right =
    Object.entries(wanted).every(([name, value]) => process.env[name] === value) && unwanted.length === 0;
  if (right || process.platform === 'win32') return;
  if (!process.versions.bun) {
    // Node writes `process.env` through to the C library. The library path is read at start only, so without a
    // system Vulkan loader the software GPU is found in a child process alone.
    for (const name of unwanted) delete process.env[name];
    Object.assign(process.env, wanted);
    return;
  }
  const { dlopen, FFIType } = await import('bun:ffi');
  const libc = dlopen(process.platform === 'darwin' ? 'libSystem.B.dylib' : 'libc.so.6', {
    setenv: { args: [FFIType.cstring, FFIType.cstring, FFIType.i32], returns: FFIType.i32 },
    unsetenv: { args: [FFIType.cstring], returns: FFIType.i32 },
  });
  const text = (value: string) => Buffer.from(`${value}\0`);
  for (const name of unwanted) {
    libc.symbols.unsetenv(text(name));
    delete process.env[name];
  }
  for (const [name, value] of Object.entries(wanted)) {
    libc.symbols.setenv(text(name), text(value), 1);
    process.env[name] = value;
  }
  // Once it is loaded, Dawn's own request for `libvulkan.so.1` finds it by that name.
  if (software.found && software.loader) {
    dlopen(software.loader, {
      vkGetInstanceProcAddr: { args: [FFIType.ptr, FFIType.cstring], returns: FFIType.ptr },
    });
  }
}
