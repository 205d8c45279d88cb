/**
 * A GPU for machines without one: SwiftShader, a Vulkan driver that runs on the processor, and a Vulkan loader, both
 * taken from the archive inside the optional npm package `@sparticuz/chromium` (or SwiftShader from an installed
 * Chromium). They are added beside whatever drivers the machine has, so hardware still wins where there is any.
 *
 * The loader reads its settings from the environment of the process, hence two ways in: start a child with
 * `softwareGpu().environment`, or, under Bun, `applyInProcess()` before `webgpu` is imported.
 */
import { createHash, randomBytes } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { brotliDecompressSync } from 'node:zlib';
import { cacheFolder } from './cache.ts';
import { providedArchive } from './single-file.ts';

/** Where the driver is and what a process needs in its environment to find it; or why there is none. */
export type SoftwareGpu =
  | { found: true; folder: string; loader?: string; environment: Record<string, string> }
  | { found: false; why: string };

const ICD = 'vk_swiftshader_icd.json';
const LOADER = 'libvulkan.so.1';
/** The archive also holds OpenGL libraries, which would only shadow those of the system. */
const WANTED = ['libvk_swiftshader.so', LOADER, ICD];
const CHROMIUM_FOLDERS = ['/usr/lib/chromium', '/usr/lib64/chromium-browser', '/opt/google/chrome'];
/** Tells a child process where its parent unpacked; may be set by hand to use another SwiftShader. */
const FOLDER_VARIABLE = 'MOS_SOFTWARE_GPU';

let cached: SoftwareGpu | undefined;

/** Finds the software GPU, unpacking it into the user's cache the first time (7 MB, 60 ms). */
export function softwareGpu(): SoftwareGpu {
  cached ??= locate();
  return cached;
}

function locate(): SoftwareGpu {
  const unsupported = unsupportedHere();
  if (unsupported) return { found: false, why: unsupported };
  const inherited = process.env[FOLDER_VARIABLE];
  if (inherited && existsSync(join(inherited, ICD))) return at(inherited);
  const archive = findArchive();
  if (archive) {
    try {
      return at(unpack(archive));
    } catch (error) {
      // A full disk or a damaged archive must not keep a hardware GPU from being used.
      const reason = error instanceof Error ? error.message : String(error);
      return { found: false, why: `the software GPU could not be unpacked: ${reason}` };
    }
  }
  const installed = CHROMIUM_FOLDERS.find(folder => existsSync(join(folder, ICD)));
  if (installed) return at(installed);
  return {
    found: false,
    why: 'the optional package `@sparticuz/chromium`, which holds SwiftShader, is not installed',
  };
}

/** The archive is built for x86-64 Linux with glibc 2.34 or newer. */
function unsupportedHere(): string | undefined {
  if (process.platform !== 'linux' || process.arch !== 'x64') {
    return `no software GPU comes with mos for ${process.platform} on ${process.arch}`;
  }
  const glibc = glibcVersion();
  if (!glibc) return 'the software GPU needs glibc, which this Linux does not use';
  const [major, minor] = glibc.split('.').map(Number);
  if (major < 2 || (major === 2 && minor < 34))
    return `the software GPU needs glibc 2.34 or newer; this is ${glibc}`;
  return undefined;
}

function glibcVersion(): string | undefined {
  const report = process.report?.getReport() as { header?: { glibcVersionRuntime?: string } } | undefined;
  return report?.header?.glibcVersionRuntime;
}

function findArchive(): string | undefined {
  const provided = providedArchive();
  if (provided) return provided;
  try {
    // The package exports only its entry file, so go from there up to its root.
    let folder = dirname(createRequire(import.meta.url).resolve('@sparticuz/chromium'));
    for (let up = 0; up < 5; up++, folder = dirname(folder)) {
      const archive = join(folder, 'bin', 'swiftshader.tar.br');
      if (existsSync(archive)) return archive;
    }
  } catch {
    // Not installed: the package is optional.
  }
  return undefined;
}

function at(folder: string): SoftwareGpu {
  const loader = join(folder, LOADER);
  const withLoader = existsSync(loader);
  return {
    found: true,
    folder,
    ...(withLoader ? { loader } : {}),
    environment: environment(folder, withLoader),
  };
}

function environment(folder: string, withLoader: boolean): Record<string, string> {
  const add = (name: string, value: string, separator: string) => {
    const now = process.env[name]?.split(separator).filter(part => part && part !== value) ?? [];
    return { [name]: [...now, value].join(separator) };
  };
  return {
    [FOLDER_VARIABLE]: folder,
    ...(withLoader ? add('LD_LIBRARY_PATH', folder, ':') : {}),
    // Adds to the drivers of the machine; VK_DRIVER_FILES would hide them.
    ...add('VK_ADD_DRIVER_FILES', join(folder, ICD), ':'),
    // Dawn refuses Mesa's lavapipe and prints warnings about it.
    ...add('VK_LOADER_DRIVERS_DISABLE', '*lvp*', ','),
  };
}

/** Unpacks into a folder named by content; whoever finds the folder finds it complete, as it appears by a rename. */
function unpack(archive: string): string {
  const packed = readFileSync(archive);
  const name = `swiftshader-${createHash('sha256').update(packed).digest('hex').slice(0, 16)}`;
  const cache = cacheFolder();
  const folder = join(cache, name);
  if (existsSync(folder)) return folder;
  const aside = join(cache, `.${name}-${randomBytes(6).toString('hex')}`);
  mkdirSync(aside, { mode: 0o700 });
  try {
    for (const [file, content] of untar(brotliDecompressSync(packed))) {
      if (!WANTED.includes(file)) continue;
      writeFileSync(join(aside, file), content, { flag: 'wx' });
      if (file.includes('.so')) chmodSync(join(aside, file), 0o755);
    }
    const missing = WANTED.filter(file => !existsSync(join(aside, file)));
    if (missing.length > 0) throw new Error(`${archive} lacks ${missing.join(', ')}`);
    renameSync(aside, folder);
  } catch (error) {
    rmSync(aside, { recursive: true, force: true });
    // Another process may have been faster; its folder is as good as ours.
    if (!existsSync(folder)) throw error;
  }
  return folder;
}

/** Plain files of a tar archive: 512-byte headers, name at 0, octal size at 124, type at 156. */
function* untar(tar: Uint8Array): Generator<[name: string, content: Uint8Array]> {
  const text = (start: number, length: number) =>
    new TextDecoder().decode(tar.subarray(start, start + length)).replace(/\0[\s\S]*$/, '');
  for (let at = 0; at + 512 <= tar.length && tar[at] !== 0; ) {
    const size = Number.parseInt(text(at + 124, 12).trim() || '0', 8);
    const type = String.fromCharCode(tar[at + 156]);
    const name = text(at, 100).replace(/^\.\//, '');
    if (type === '0' || type === '\0') yield [name, tar.subarray(at + 512, at + 512 + size)];
    at += 512 + Math.ceil(size / 512) * 512;
  }
}
