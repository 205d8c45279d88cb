/** Row 2: what the GPU's matrix units do at best, in a loop that touches no memory: the ceiling of row 1. */
import { openDevice } from '../src/gpu/device.ts';
import type { Bench, Outcome, Row } from './row.ts';
import { clock, show, spread } from './timing.ts';

const FEATURE = 'chromium-experimental-subgroup-matrix';
const LOOPS = 4096;
const GROUPS = 4096;
const THREADS = 128;

/** Experimental in WebGPU, so not in the type declarations. */
interface Config {
  componentType: string;
  resultComponentType: string;
  M: number;
  N: number;
  K: number;
}

/** Four independent accumulators per subgroup, so that one need not wait for the last. */
const code = ({ M, N, K }: Config) => `
diagnostic(off, chromium.subgroup_matrix_uniformity);
enable f16;
enable subgroups;
enable chromium_experimental_subgroup_matrix;
@group(0) @binding(0) var<storage, read_write> out: array<f32>;
@compute @workgroup_size(${THREADS})
fn main(@builtin(workgroup_id) group: vec3<u32>) {
  let a = subgroup_matrix_left<f16, ${K}, ${M}>(0.5h);
  let b = subgroup_matrix_right<f16, ${N}, ${K}>(0.25h);
  var c0 = subgroup_matrix_result<f32, ${N}, ${M}>();
  var c1 = c0; var c2 = c0; var c3 = c0;
  for (var i = 0u; i < ${LOOPS}u; i++) {
    c0 = subgroupMatrixMultiplyAccumulate(a, b, c0);
    c1 = subgroupMatrixMultiplyAccumulate(a, b, c1);
    c2 = subgroupMatrixMultiplyAccumulate(a, b, c2);
    c3 = subgroupMatrixMultiplyAccumulate(a, b, c3);
  }
  subgroupMatrixStore<row_major>(&out, 0u, c0, ${N}u);
  subgroupMatrixStore<row_major>(&out, ${M * N}u, c1, ${N}u);
  subgroupMatrixStore<row_major>(&out, ${2 * M * N}u, c2, ${N}u);
  subgroupMatrixStore<row_major>(&out, ${3 * M * N}u, c3, ${N}u);
}`;

async function measure(bench: Bench): Promise<Outcome> {
  const opened = await openDevice({
    wanted: { features: [FEATURE, 'shader-f16', 'subgroups'], unsafe: true },
  });
  try {
    const { device, info } = opened;
    const configs = (info as unknown as { subgroupMatrixConfigs?: Config[] }).subgroupMatrixConfigs ?? [];
    const usable = configs.filter(c => c.componentType === 'f16' && c.resultComponentType === 'f32');
    if (!device.features.has(FEATURE as GPUFeatureName) || usable.length === 0)
      return { tables: [], skipped: [`this device offers no f16 → f32 matrices (feature ${FEATURE})`] };
    const rows: (string | number)[][] = [];
    for (const config of usable) {
      const { M, N, K } = config;
      const out = device.createBuffer({ size: 16 * M * N, usage: GPUBufferUsage.STORAGE });
      const module = device.createShaderModule({ code: code(config) });
      const pipeline = await device.createComputePipelineAsync({ layout: 'auto', compute: { module } });
      const group = device.createBindGroup({
        layout: pipeline.getBindGroupLayout(0),
        entries: [{ binding: 0, resource: { buffer: out } }],
      });
      const run = () =>
        clock(async () => {
          const encoder = device.createCommandEncoder();
          const pass = encoder.beginComputePass();
          pass.setPipeline(pipeline);
          pass.setBindGroup(0, group);
          pass.dispatchWorkgroups(GROUPS);
          pass.end();
          device.queue.submit([encoder.finish()]);
          await device.queue.onSubmittedWorkDone();
        });
      await run();
      const times: number[] = [];
      for (let i = 0; i < bench.samples(15); i++) times.push(await run());
      out.destroy();
      const subgroups = (GROUPS * THREADS) / (info.subgroupMaxSize ?? 32);
      const flops = 2 * M * N * K * 4 * LOOPS * subgroups;
      rows.push([`${M}×${N}×${K}`, show(spread(times.map(ms => flops / ms / 1e9)), 0)]);
    }
    opened.check();
    return { tables: [{ title: 'TFLOP/s of f16 → f32 matrices', head: ['shape', 'TFLOP/s'], rows }] };
  } finally {
    opened.close();
  }
}

export const row: Row = { number: 2, title: 'Matrix units alone', run: measure };
