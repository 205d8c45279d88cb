/**
 * Reference cases for the runtime, the same under every host: a folder with a plan, tensors that go in, and tensors that
 * must come out. Imports nothing but the runtime, as a page or another engine would.
 *
 * `case.safetensors` holds, by kind of case:
 *   adapter    param.NAME, x [T, in], dy [T, out]; want.y, want.dx, want.grad.NAME
 *   training   param.NAME, base.NAME, batch.I.ids and .labels [tokens], batch.I.lengths [rows]; want.loss, want.norm [steps],
 *              want.validation [1] (of batch 0 at the end), want.final.NAME
 */
import {
  type CheckedPlan,
  type Loaded,
  load,
  pack,
  parametersFrom,
  readPlan,
  refresh,
  SafetensorsBytes,
  Session,
  watchDevice,
} from '../../src/runtime.ts';

export interface CaseDescription {
  kind: 'adapter' | 'training';
  /**
   * ‖out − want‖ / ‖want‖ that is allowed, by the first part of a tensor's name; `curvature`: of gradients of curvatures.
   * What should be all zero is compared absolutely.
   */
  tolerance: { [part: string]: number };
}

/** Gives a file of a case by its path. */
export type ReadFile = (path: string) => Promise<Uint8Array<ArrayBuffer>>;

export interface Outcome {
  case: string;
  tensor: string;
  error: number;
  tolerance: number;
}

/** Zeros are zeros to within this. */
const ZERO = 1e-6;

export async function runCase(name: string, device: GPUDevice, read: ReadFile): Promise<Outcome[]> {
  const text = async (path: string) => new TextDecoder().decode(await read(`${name}/${path}`));
  const { kind, tolerance } = JSON.parse(await text('case.json')) as CaseDescription;
  const tensors = new SafetensorsBytes(await read(`${name}/case.safetensors`));
  const plan = await readPlan(await text('plan.json'), text);
  const out = await compute(kind, plan, tensors, device);
  const curvatures = plan.plan.parameters.filter(p => p.kind === 'curvature').map(p => `grad.${p.name}`);
  const wanted = [...tensors.tensors.keys()].filter(key => key.startsWith('want.'));
  return wanted.map(key => {
    const tensor = key.slice('want.'.length);
    const part = tensor.split('.')[0];
    const allowed = tolerance[curvatures.includes(tensor) ? 'curvature' : part];
    const got = out.get(tensor) ?? new Float32Array();
    const start = part === 'final' ? tensors.readF32(tensor.replace('final', 'param')) : undefined;
    const { error, zero } = distance(got, tensors.readF32(key), start);
    return { case: name, tensor, error, tolerance: zero ? ZERO : allowed };
  });
}

/** What comes out of a case, by name, for the tensors that go in. */
export async function compute(
  kind: CaseDescription['kind'],
  plan: CheckedPlan,
  tensors: SafetensorsBytes,
  device: GPUDevice,
): Promise<Map<string, Float32Array>> {
  const watched = watchDevice(device);
  const loaded = await load(plan, watched, {
    tensors: async (tensor, range) => tensors.readF32(`base.${tensor}`, range),
  });
  try {
    return await (kind === 'adapter' ? runAdapter : runTraining)(loaded, tensors);
  } finally {
    loaded.close();
    watched.check();
  }
}

/** `start`: what a trained tensor began with; the distance is then relative to how far it should have gone. */
function distance(
  got: Float32Array,
  want: Float32Array,
  start?: Float32Array,
): { error: number; zero: boolean } {
  if (got.length !== want.length) return { error: Number.POSITIVE_INFINITY, zero: false };
  let difference = 0;
  let norm = 0;
  for (let i = 0; i < want.length; i++) {
    difference += (got[i] - want[i]) ** 2;
    norm += (want[i] - (start?.[i] ?? 0)) ** 2;
  }
  return { error: Math.sqrt(norm === 0 ? difference : difference / norm), zero: norm === 0 };
}

/** Gives the runtime a plan's parameters. */
function parametersOf({ plan }: Loaded, tensors: SafetensorsBytes): Float32Array {
  const named = [...tensors.tensors].filter(([key]) => key.startsWith('param.'));
  const file = {
    tensors: new Map(named.map(([key, info]) => [key.slice('param.'.length), info])),
    readF32: (name: string) => tensors.readF32(`param.${name}`),
  };
  return parametersFrom(plan, file, 'the case');
}

/** On buffers, and in an encoder, that are not the runtime's. */
async function runAdapter(loaded: Loaded, tensors: SafetensorsBytes): Promise<Map<string, Float32Array>> {
  const { executor, adapters, plan } = loaded;
  const { device } = executor.opened;
  const [module] = adapters.modules;
  const port = adapters.port(module);
  const [tokens] = tensors.tensors.get('x')!.shape;
  const { STORAGE, COPY_SRC, COPY_DST } = GPUBufferUsage;
  const buffers = (['x', 'y', 'dx', 'dy'] as const).map(name => {
    const size = tokens * port[name].ld * 4;
    return device.createBuffer({ size, usage: STORAGE | COPY_SRC | COPY_DST });
  });
  const [x, y, dx, dy] = buffers;
  const give = (buffer: GPUBuffer, name: 'x' | 'dy') =>
    device.queue.writeBuffer(buffer, 0, padded(tensors.readF32(name), port[name].columns, port[name].ld));
  give(x, 'x');
  give(dy, 'dy');
  executor.write('params', parametersOf(loaded, tensors));
  executor.clear('grads');
  await refresh(executor);
  const forward = await adapters.forward(module, { x, y });
  const backward = await adapters.backward(module, { x, dy, dx });
  adapters.batch({ tokens });
  const encoder = device.createCommandEncoder();
  forward(encoder);
  backward(encoder);
  const back = [y, dx].map(buffer => {
    const copy = device.createBuffer({
      size: buffer.size,
      usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST,
    });
    encoder.copyBufferToBuffer(buffer, 0, copy, 0, buffer.size);
    return copy;
  });
  device.queue.submit([encoder.finish()]);
  const [gotY, gotDx] = await Promise.all(
    back.map(async buffer => {
      await buffer.mapAsync(GPUMapMode.READ);
      return new Float32Array(buffer.getMappedRange().slice(0));
    }),
  );
  const gradients = await executor.read('grads', plan.buffers.find(b => b.name === 'grads')!.bytes / 4);
  for (const buffer of [...buffers, ...back]) buffer.destroy();
  return new Map([
    ['y', cropped(gotY, port.y.columns, port.y.ld)],
    ['dx', cropped(gotDx, port.dx.columns, port.dx.ld)],
    ...plan.parameters.map((p): [string, Float32Array] => [
      `grad.${p.name}`,
      cropped(gradients.slice(p.offset, p.offset + p.rows * p.ld), p.columns, p.ld, p.rows),
    ]),
  ]);
}

async function runTraining(loaded: Loaded, tensors: SafetensorsBytes): Promise<Map<string, Float32Array>> {
  const session = new Session(loaded.executor);
  session.start(parametersOf(loaded, tensors));
  const steps = [...tensors.tensors.keys()].filter(key => /^batch\.\d+\.ids$/.test(key)).length;
  const loss: number[] = [];
  const norm: number[] = [];
  for (let step = 0; step < steps; step++) {
    const result = await session.step([batchOf(tensors, step)], 1, step, 0);
    loss.push(result.loss);
    norm.push(result.norm);
  }
  const validation = await session.validate([batchOf(tensors, 0)]);
  const flat = await session.parameters();
  return new Map([
    ['loss', Float32Array.from(loss)],
    ['norm', Float32Array.from(norm)],
    ['validation', Float32Array.of(validation)],
    ...loaded.plan.parameters.map((p): [string, Float32Array] => [
      `final.${p.name}`,
      cropped(flat.slice(p.offset, p.offset + p.rows * p.ld), p.columns, p.ld, p.rows),
    ]),
  ]);
}

function batchOf(tensors: SafetensorsBytes, step: number) {
  const [ids, labels, lengths] = ['ids', 'labels', 'lengths'].map(part =>
    Int32Array.from(tensors.readF32(`batch.${step}.${part}`)),
  );
  let at = 0;
  const rows = Array.from(lengths, length => {
    at += length;
    return { ids: ids.slice(at - length, at), labels: labels.slice(at - length, at) };
  });
  return pack(rows);
}

function padded(values: Float32Array, columns: number, ld: number): Float32Array<ArrayBuffer> {
  const rows = values.length / columns;
  const out = new Float32Array(rows * ld);
  for (let r = 0; r < rows; r++) out.set(values.subarray(r * columns, (r + 1) * columns), r * ld);
  return out;
}

function cropped(values: Float32Array, columns: number, ld: number, rows = values.length / ld): Float32Array {
  const out = new Float32Array(rows * columns);
  for (let r = 0; r < rows; r++) out.set(values.subarray(r * ld, r * ld + columns), r * columns);
  return out;
}
