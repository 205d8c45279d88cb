/**
 * Runs cases in the process of a host that is not a browser: `process.js FOLDER CASE…` under Bun, Node (Dawn) or Deno (its
 * own WebGPU). Prints one line of JSON: what the host is, and the outcomes.
 */
import { type Outcome, runCase } from '../runtime/cases.ts';

interface DenoLike {
  args: string[];
  readFile(path: string): Promise<Uint8Array<ArrayBuffer>>;
  exit(code: number): never;
}
const deno = (globalThis as { Deno?: DenoLike }).Deno;

async function open(): Promise<GPU> {
  if (deno) return navigator.gpu;
  const { create, globals } = await import('webgpu');
  Object.assign(globalThis, globals);
  const gpu = create([]);
  // Under Bun, Dawn's objects crash at garbage collection once this one is gone.
  return Object.assign(globalThis, { kept: gpu }).kept;
}

async function read(path: string): Promise<Uint8Array<ArrayBuffer>> {
  if (deno) return deno.readFile(path);
  const { readFile } = await import('node:fs/promises');
  return new Uint8Array(await readFile(path));
}

const [folder, ...cases] = deno ? deno.args : process.argv.slice(2);
const adapter = (await (await open()).requestAdapter())!;
// Default limits: what every WebGPU device offers.
const device = await adapter.requestDevice();
const outcomes: Outcome[] = [];
for (const name of cases) outcomes.push(...(await runCase(name, device, path => read(`${folder}/${path}`))));
const { vendor, architecture, description } = adapter.info;
console.log(JSON.stringify({ gpu: `${vendor} ${architecture} ${description}`.trim(), outcomes }));
device.destroy();
if (deno) deno.exit(0);
process.exit(0);
