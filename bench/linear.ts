/**
 * Speed of the linear kernels and their variants: `bun bench/linear.ts [software|hardware] [large] [storages]`.
 * `storages`: the matrix products only, over frozen weights in every storage.
 *
 * All kernels take turns, so that a busy machine slows every one of them; the table gives medians. A sample is as many
 * dispatches as fill about 20 ms, waited for once. Dispatches of one sample write the same buffer, so none overlap.
 */
import { rowWords, STORAGES } from '../compiler/plan/storage.ts';
import * as specs from '../kernels/linear/spec.ts';
import { LINEAR_GRIDS } from '../kernels/linear/tiles.ts';
import { type KernelSpec, type ParamValue, specialise } from '../kernels/spec.ts';
import { withStorage } from '../kernels/weights/storage.ts';
import { openDevice } from '../src/gpu/device.ts';

const SAMPLES = 9;
const SAMPLE_MS = 20;

interface Job {
  spec: KernelSpec;
  shape: string;
  params: Record<string, ParamValue>;
  /** Floats per storage binding, in order. */
  lengths: number[];
  columns: number;
  rows: number;
  tokens: number;
  flop: number;
}

const single = (columns: number, rank: number) => ({
  SEGMENTS: 1,
  SEG_COLUMN: [0, columns],
  SEG_S: [0],
  SEG_RANK: [rank],
  SEG_B: [0],
});

/** y = x·wᵀ (+ s·bᵀ): M rows, K in, N out. */
function forward(spec: KernelSpec, M: number, K: number, N: number, rank = 0, DROPOUT = 0): Job {
  const s = Math.max(rank, 4);
  return {
    spec,
    shape: `${M} × ${K} → ${N}${rank ? `, rank ${rank}` : ''}${DROPOUT ? ', dropout' : ''}`,
    params: { LD_X: K, N, LD_Y: N, LD_S: s, DROPOUT, ...single(N, rank) },
    lengths: [M * K, N * K, N, M * s, N * s, 4, M * N],
    columns: N,
    rows: M,
    tokens: M,
    flop: 2 * M * N * (K + rank),
  };
}

function inputGrad(spec: KernelSpec, M: number, K: number, N: number, SZ = 0, DROPOUT = 0): Job {
  const z = Math.max(SZ, 4);
  return {
    spec,
    shape: `${M} × ${N} → ${K}${SZ ? `, rank ${SZ}` : ''}${DROPOUT ? ', dropout' : ''}`,
    params: { N, LD_DY: N, LD_DX: K, SZ: z, LD_DZ: z, HAS_LOWRANK: SZ > 0, DROPOUT },
    lengths: [M * N, N * K, M * z, z * K, M * K, M * K, M * K],
    columns: K,
    rows: M,
    tokens: M,
    flop: 2 * M * K * (N + SZ),
  };
}

const choose = process.argv.includes('hardware')
  ? 'hardware'
  : process.argv.includes('software')
    ? 'software'
    : 'auto';
const shapes = process.argv.includes('large')
  ? [
      [2048, 1536, 8960],
      [2048, 8960, 1536],
      [4096, 4096, 4096],
    ]
  : [
      [320, 128, 704],
      [320, 352, 128],
      [512, 512, 512],
    ];
const jobs = shapes.flatMap(([M, K, N]) => [
  forward(specs.linearForward, M, K, N),
  forward(specs.linearForwardTiled, M, K, N),
  inputGrad(specs.linearInputGrad, M, K, N),
  inputGrad(specs.linearInputGradTiled, M, K, N),
]);
const storages = process.argv.includes('storages');
if (storages) {
  for (const storage of STORAGES.filter(s => s !== 'f32')) {
    for (const [M, K, N] of shapes) {
      const stored = (spec: KernelSpec) => withStorage(spec, storage);
      // `w` is the second storage binding; its words need not mean anything
      const packed = (job: Job) => ({ ...job, lengths: job.lengths.with(1, N * rowWords(storage, K)) });
      jobs.push(
        packed(forward(stored(specs.linearForward), M, K, N)),
        packed(forward(stored(specs.linearForwardTiled), M, K, N)),
        packed(inputGrad(stored(specs.linearInputGrad), M, K, N)),
        packed(inputGrad(stored(specs.linearInputGradTiled), M, K, N)),
      );
    }
  }
}
const [M, K, N] = shapes[0];
if (!storages)
  jobs.push(
    forward(specs.linearForward, M, K, N, 48),
    forward(specs.linearForwardTiled, M, K, N, 48),
    forward(specs.linearForward, M, K, 48),
    forward(specs.linearForward, M, K, 48, 0, 2 ** 28),
    inputGrad(specs.linearInputGrad, M, K, N, 48, 2 ** 28),
    forward(specs.linearForward, 1, K, N, 48),
    forward(specs.linearForwardFew, 1, K, N, 48),
  );

const { device, info } = await openDevice({ choose });
const { STORAGE, UNIFORM, COPY_DST } = GPUBufferUsage;

function uniform(words: number[]): GPUBuffer {
  const buffer = device.createBuffer({ size: 48, usage: UNIFORM | COPY_DST });
  device.queue.writeBuffer(buffer, 0, Uint32Array.from(words));
  return buffer;
}

function storage(length: number): GPUBuffer {
  const buffer = device.createBuffer({ size: length * 4, usage: STORAGE, mappedAtCreation: true });
  new Float32Array(buffer.getMappedRange()).fill(0.01);
  buffer.unmap();
  return buffer;
}

function prepare(job: Job) {
  const types = {
    uniform: 'uniform',
    read: 'read-only-storage',
    write: 'storage',
    read_write: 'storage',
  } as const;
  const { bindings, wgsl, name } = job.spec;
  const layout = device.createBindGroupLayout({
    entries: bindings.map((b, binding) => ({
      binding,
      visibility: GPUShaderStage.COMPUTE,
      buffer: { type: types[b.access] },
    })),
  });
  const started = performance.now();
  const pipeline = device.createComputePipeline({
    layout: device.createPipelineLayout({ bindGroupLayouts: [layout] }),
    compute: { module: device.createShaderModule({ code: specialise(wgsl, job.params) }) },
  });
  const compileMs = performance.now() - started;
  const lengths = [...job.lengths];
  const buffers = bindings.map(({ name: binding, access }) => {
    if (binding === 'frame') return uniform([job.tokens, job.tokens, 1, 7, 1, 1, 1]);
    return access === 'uniform' ? uniform([1, 0, 0xffffffff, 0]) : storage(lengths.shift()!);
  });
  const group = device.createBindGroup({
    layout,
    entries: buffers.map((buffer, binding) => ({ binding, resource: { buffer } })),
  });
  const [room, kernel] = name.split('.');
  const { XC, YR } = LINEAR_GRIDS[`${room}.${kernel}` as keyof typeof LINEAR_GRIDS];

  /** Milliseconds for `count` dispatches. */
  const time = async (count: number): Promise<number> => {
    const start = performance.now();
    const encoder = device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    pass.setPipeline(pipeline);
    pass.setBindGroup(0, group);
    for (let i = 0; i < count; i++)
      pass.dispatchWorkgroups(Math.ceil(job.columns / XC), Math.ceil(job.rows / YR));
    pass.end();
    device.queue.submit([encoder.finish()]);
    await device.queue.onSubmittedWorkDone();
    return performance.now() - start;
  };
  return { job, time, compileMs, count: 1, samples: [] as number[] };
}

const runs = jobs.map(prepare);
for (const run of runs) {
  await run.time(1);
  run.count = Math.min(200, Math.max(1, Math.round(SAMPLE_MS / (await run.time(1)))));
}
for (let i = 0; i < SAMPLES; i++)
  for (const run of runs) run.samples.push((await run.time(run.count)) / run.count);

console.log(`${info.vendor} ${info.architecture} ${info.device} ${info.description}`.trim());
console.log(
  `${'kernel'.padEnd(30)}${'shape'.padEnd(38)}${'ms'.padStart(9)}${'GFLOP/s'.padStart(9)}${'compile ms'.padStart(12)}`,
);
for (const { job, samples, compileMs } of runs) {
  const ms = samples.sort((a, b) => a - b)[SAMPLES >> 1];
  const speed = (job.flop / ms / 1e6).toPrecision(3);
  const name = job.spec.name.padEnd(30);
  console.log(
    `${name}${job.shape.padEnd(38)}${ms.toFixed(3).padStart(9)}${speed.padStart(9)}${compileMs.toFixed(0).padStart(12)}`,
  );
}
process.exit(0);
