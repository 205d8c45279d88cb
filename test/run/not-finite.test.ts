/** A gradient that is not finite: the step changes nothing, the next one goes on, and several in a row end the run. */
import { afterAll, expect } from 'bun:test';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openSafetensors, type TensorData, writeSafetensors } from '../../src/model/safetensors.ts';
import { Fault } from '../../src/report/fault.ts';
import { train } from '../../src/run/train.ts';
import { gpuTest } from '../gpu/harness.ts';
import { writeTinyRun } from '../tiny-model.ts';
import { batchOf, openSmall, PLAIN, randomParameters } from './small.ts';

const root = mkdtempSync(join(tmpdir(), 'mos-not-finite-'));
afterAll(() => rmSync(root, { recursive: true }));

/** NaN differs from itself. */
const bits = (values: Float32Array) => new Uint32Array(values.buffer, values.byteOffset, values.length);

gpuTest('a step with a NaN changes neither parameters nor moments nor the count of updates', async () => {
  const { plan, session, executor } = await openSmall(PLAIN);
  const flat = randomParameters(plan, 8);
  const batch = [batchOf(1, [9, 12])];
  const moments = () => Promise.all(['moment1', 'moment2'].map(name => executor.read(name, flat.length)));
  session.start(flat);
  await session.step(batch, 1, 0, 1);
  const [good, before] = [await session.parameters(), await moments()];
  expect(session.updates).toBe(1);

  for (const bad of [Number.NaN, Number.POSITIVE_INFINITY]) {
    const broken = Float32Array.from(good);
    broken[plan.parameters.find(p => p.kind === 'B')!.offset] = bad;
    executor.write('params', broken);
    const result = await session.step(batch, 1, 1, 1);
    expect(result.norm).toBeNaN();
    expect(result.notFinite).toBeGreaterThan(0);
    expect(session.updates).toBe(1);
    expect(bits(await session.parameters())).toEqual(bits(broken));
    expect(await moments()).toEqual(before);
  }

  executor.write('params', good);
  const result = await session.step(batch, 1, 2, 1);
  expect(result.norm).toBeGreaterThan(0);
  expect(session.updates).toBe(2);
  expect(await session.parameters()).not.toEqual(good);
});

gpuTest('five in a row end the run and name the first tensor', async () => {
  const run = writeTinyRun(root, { adapter: 'rank: 4; experts: euclid', train: 'steps: 9; log: 1' });
  // finite weights whose logits are not
  const path = join(root, 'model', 'model.safetensors');
  const file = openSafetensors(path);
  const tensors = new Map<string, TensorData>(
    [...file.tensors.keys()].map(name => [
      name,
      { dtype: 'F32', shape: file.tensor(name).shape, data: file.readF32(name) },
    ]),
  );
  file.close();
  (tensors.get('model.norm.weight')!.data as Float32Array).fill(3e38);
  writeSafetensors(path, tensors);

  const warnings: string[] = [];
  const listener = {
    log() {},
    warn: (text: string) => warnings.push(text),
    phase() {},
    progress() {},
    stop: new AbortController().signal,
  };
  const out = join(root, 'out');
  const error = await train({ plan: run.planFolder, out, evaluate: false }, listener).catch(
    (e: unknown) => e,
  );
  expect(error).toBeInstanceOf(Fault);
  const [{ code, notes }] = (error as Fault).diagnostics;
  expect(code).toBe('not-finite-loss');
  expect(notes?.[0]).toBe(`first bad tensor: ${run.plan.parameters[0].name}`);
  expect(warnings).toEqual(
    [1, 2, 3, 4, 5].map(step => `step ${step}: the gradient is not finite; the step was skipped`),
  );
  const steps = readFileSync(join(out, 'log.jsonl'), 'utf8')
    .split('\n')
    .filter(line => line.includes('"type":"step"'))
    .map(line => JSON.parse(line));
  expect(steps.every(s => s.skipped === true && s.gradient_norm === null)).toBe(true);
});
