/** Plans of every version 1 release still run and compute what they did, through the runtime's public entry alone. */
import { describe, expect, test } from 'bun:test';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { decodePlan } from '../../compiler/plan/codec.ts';
import { gpu, gpuTest } from '../gpu/harness.ts';
import { runCase } from '../runtime/cases.ts';

const plans = readdirSync(import.meta.dir).filter(name =>
  existsSync(join(import.meta.dir, name, 'plan.json')),
);

/** Files of a stored plan; the texts of its kernels lie in one compressed file. */
function filesOf(name: string): (path: string) => Uint8Array<ArrayBuffer> {
  const at = (path: string) => new Uint8Array(readFileSync(join(import.meta.dir, path)));
  const kernels = JSON.parse(Buffer.from(Bun.gunzipSync(at(`${name}/kernels.json.gz`))).toString());
  return path => {
    const kernel = kernels[path.slice(name.length + 1)];
    return kernel === undefined ? at(path) : new TextEncoder().encode(kernel);
  };
}

test('there are adapters alone, declared spaces, whole trainings and packed weights', () => {
  expect(plans.sort()).toEqual(expect.arrayContaining(['adapter', 'nf4', 'space', 'training']));
});

describe('stored plans', () => {
  for (const name of plans) {
    test(`${name} is read`, () => {
      const read = filesOf(name);
      const result = decodePlan(path => new TextDecoder().decode(read(`${name}/${path}`)));
      if ('problem' in result) throw new Error(result.message);
      expect(result.plan.version).toMatch(/^1\.\d+$/);
    });

    gpuTest(`${name} computes what it did`, async () => {
      const read = filesOf(name);
      const outcomes = await runCase(name, gpu!.device, async path => read(path));
      expect(outcomes.length).toBeGreaterThan(3);
      expect(outcomes.filter(({ error, tolerance }) => !(error <= tolerance))).toEqual([]);
    });
  }
});
