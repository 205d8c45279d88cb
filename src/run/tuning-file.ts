/**
 * What was measured on one device, `CACHE/tuning/DEVICE.json`: the fastest variant of every kernel that was tried, and
 * which kernels were seen to compute what they should. Holds for that adapter and driver and for nothing else.
 */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { cacheFolder } from '../host/cache.ts';
import { type Files, realFiles, replaceFile, systemCode } from '../host/files.ts';
import { quote, readJson } from '../model/files.ts';
import { fault } from '../report/fault.ts';
import type { Choices } from './variants.ts';

const text = z.string().max(4096);
const kernel = z.string().regex(/^[0-9a-f]{12}$/);

const tuningSchema = z.strictObject({
  format: z.literal('mos-tuning'),
  version: z.literal(0),
  device: z.strictObject({ vendor: text, architecture: text, device: text, driver: text }),
  /** Id of the choice → the fastest kernel, and milliseconds of each that was measured. */
  choices: z.record(
    text,
    z.strictObject({ name: text, kernel, milliseconds: z.record(kernel, z.number().positive()) }),
  ),
  /** Kernels compared with their reference on this device: whether they agree. */
  checked: z.record(kernel, z.boolean()),
});
export type Tuning = z.infer<typeof tuningSchema>;
type DeviceName = Tuning['device'];

/** Adapter and driver. */
export function deviceName(info: GPUAdapterInfo): DeviceName {
  const { vendor, architecture, device, description } = info;
  return { vendor, architecture, device, driver: description };
}

export function emptyTuning(info: GPUAdapterInfo): Tuning {
  return { format: 'mos-tuning', version: 0, device: deviceName(info), choices: {}, checked: {} };
}

/** The choices that a tuning file makes. */
export function choicesOf({ choices }: Tuning): Choices {
  return Object.fromEntries(Object.entries(choices).map(([id, { kernel }]) => [id, kernel]));
}

/** Where the tuning file of a device is. */
export function tuningPath(info: GPUAdapterInfo, folder: string = join(cacheFolder(), 'tuning')): string {
  const name = deviceName(info);
  const readable = [name.vendor, name.architecture].filter(Boolean).join('-') || 'gpu';
  const hash = createHash('sha256').update(JSON.stringify(name)).digest('hex').slice(0, 12);
  return join(folder, `${readable.replace(/[^\w.-]/g, '_')}-${hash}.json`);
}

/** The tuning file at `path`; nothing where there is none, or where it is of another device. Throws `bad-tuning`. */
export function readTuning(path: string, info: GPUAdapterInfo): Tuning | undefined {
  if (!existsSync(path)) return undefined;
  const parsed = tuningSchema.safeParse(readTuningJson(path));
  if (!parsed.success) {
    const [{ path: place, message }] = parsed.error.issues;
    throw bad(path, `${place.join('.') || 'top level'}: ${message.toLowerCase()}`);
  }
  const same = JSON.stringify(parsed.data.device) === JSON.stringify(deviceName(info));
  return same ? parsed.data : undefined;
}

function readTuningJson(path: string): unknown {
  try {
    return readJson(path);
  } catch {
    throw bad(path, 'it is not valid JSON');
  }
}

const bad = (path: string, why: string) => fault('bad-tuning', `${quote(path)} is not a tuning file: ${why}`);

export function writeTuning(path: string, tuning: Tuning, files: Files = realFiles): void {
  try {
    files.makeFolder(dirname(path));
    replaceFile(files, path, [new TextEncoder().encode(`${JSON.stringify(tuning, null, 1)}\n`)]);
  } catch (error) {
    const code = systemCode(error);
    if (code === undefined) throw error;
    throw fault('unwritable-file', `the tuning file ${quote(path)} cannot be written (${code})`);
  }
}
