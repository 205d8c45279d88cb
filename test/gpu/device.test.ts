/** The device itself and the harness that all kernel tests lean on: what must be noticed is noticed. */
import { describe, expect, test } from 'bun:test';
import type { KernelSpec } from '../../kernels/spec.ts';
import { openDevice } from '../../src/gpu/device.ts';
import { Fault } from '../../src/report/fault.ts';
import { gpu, gpuTest, relativeError, runKernel } from './harness.ts';

const FRAME = `struct Frame {
  tokens: u32, targets: u32, rows: u32, seed: u32,
  step: u32, micro: u32, training: u32, loss_scale: f32,
  aux_scale: f32, pad0: u32, pad1: u32, pad2: u32,
}
@group(0) @binding(0) var<uniform> frame: Frame;
const EXTRA: u32 = 0u; // @param
`;

/** y = 2x over `frame.tokens + EXTRA` elements: EXTRA = 1 is the classic mistake. */
const double: KernelSpec = {
  name: 'test.double',
  wgsl: `${FRAME}
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
@compute @workgroup_size(64) fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  if (id.x < frame.tokens + EXTRA) { y[id.x] = 2.0 * frame.loss_scale * x[id.x]; }
}`,
  bindings: [
    { name: 'frame', access: 'uniform' },
    { name: 'x', access: 'read' },
    { name: 'y', access: 'write' },
  ],
};

const x = Float32Array.from({ length: 100 }, (_, i) => i / 8);
const workgroups: [number] = [3];

/** The fault that `action` ends in; fails when there is none. */
async function faultOf(action: () => Promise<unknown>): Promise<Fault> {
  try {
    await action();
  } catch (error) {
    if (error instanceof Fault) return error;
    throw error;
  }
  throw new Error('no fault was thrown');
}

describe('device', () => {
  gpuTest('a kernel doubles numbers', async () => {
    const { y } = await runKernel(
      double,
      {},
      { x, y: new Float32Array(100) },
      { frame: { tokens: 100 }, workgroups },
    );
    expect(y).toEqual(x.map(v => 2 * v));
    expect(
      relativeError(
        y,
        x.map(v => 2 * v),
      ),
    ).toBe(0);
  });

  gpuTest('frame fields reach the kernel by name', async () => {
    const frame = { tokens: 100, loss_scale: 0.5 };
    const { y } = await runKernel(double, {}, { x, y: new Float32Array(100) }, { frame, workgroups });
    expect(y).toEqual(x);
  });

  gpuTest('an adapter knows whether it is software', async () => {
    expect(gpu!.software).toBe(/swiftshader/i.test(gpu!.info.architecture));
  });

  gpuTest('a missing feature is a fault', async () => {
    const found = await faultOf(() => openDevice({ features: ['no-such-feature' as GPUFeatureName] }));
    expect(found.diagnostics[0]).toMatchObject({ code: 'gpu-feature-missing' });
    expect(found.message).toContain('no-such-feature');
  });

  gpuTest('a limit out of reach is a fault which names it', async () => {
    const found = await faultOf(() => openDevice({ limits: { maxBufferSize: 2 ** 60 } }));
    expect(found.diagnostics[0].code).toBe('gpu-limit');
    expect(found.diagnostics[0].notes?.[0]).toStartWith(`maxBufferSize: ${2 ** 60} needed`);
  });

  gpuTest('losing the device is a fault; closing it is none', async () => {
    const seen: string[] = [];
    const opened = await openDevice({ onFault: f => seen.push(f.diagnostics[0].code) });
    opened.check();
    opened.device.destroy();
    await opened.device.lost;
    await Bun.sleep(0);
    expect(seen).toEqual(['gpu-lost']);
    expect(() => opened.check()).toThrow('gpu-lost');

    const closed = await openDevice({ onFault: f => seen.push(f.diagnostics[0].code) });
    closed.close();
    await closed.device.lost;
    await Bun.sleep(0);
    expect(seen).toEqual(['gpu-lost']);
  });

  gpuTest('an error nobody caught is a fault', async () => {
    const opened = await openDevice();
    opened.device.createBuffer({ size: 16, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.STORAGE });
    await opened.device.queue.onSubmittedWorkDone();
    await Bun.sleep(1);
    expect(opened.failure()?.diagnostics[0].code).toBe('gpu-error');
    opened.close();
  });
});

describe('harness', () => {
  gpuTest('a write past the end is found', async () => {
    const run = runKernel(
      double,
      { EXTRA: 1 },
      { x, y: new Float32Array(100) },
      { frame: { tokens: 100 }, workgroups },
    );
    await expect(run).rejects.toThrow(
      'test.double: y: the kernel wrote element 100, past the end of 100 elements',
    );
  });

  gpuTest('elements that a kernel forgets are NaN', async () => {
    const { y } = await runKernel(
      double,
      {},
      { x, y: new Float32Array(100) },
      { frame: { tokens: 99 }, workgroups },
    );
    expect(y[98]).toBe(2 * x[98]);
    expect(y[99]).toBeNaN();
  });

  gpuTest('a read past the end gives NaN', async () => {
    const run = await runKernel(
      double,
      {},
      { x, y: new Float32Array(101) },
      { frame: { tokens: 101 }, workgroups },
    );
    expect(run.y[100]).toBeNaN();
  });

  gpuTest('a compile error shows the WGSL line', async () => {
    const broken = { ...double, wgsl: double.wgsl.replace('y[id.x] =', 'z[id.x] =') };
    const run = runKernel(broken, {}, { x, y: new Float32Array(100) }, { workgroups });
    await expect(run).rejects.toThrow(/z\[id\.x\] = 2\.0[^\n]*\n +\^ unresolved value 'z'/);
  });

  gpuTest('a binding that does not exist is refused', async () => {
    await expect(runKernel(double, {}, { w: x }, { workgroups })).rejects.toThrow(
      'test.double has no binding w',
    );
  });

  test('relative error', () => {
    expect(relativeError([3, 4], [0, 0])).toBe(5);
    expect(relativeError([1, 1], [1, 0])).toBe(1);
    expect(relativeError([Number.NaN], [1])).toBeNaN();
  });
});
