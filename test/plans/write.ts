/** Adds plans to this folder, each with what it computes now. A plan that is there is never touched. */
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Compiled, compile } from '../../compiler/index.ts';
import { pack } from '../../src/data/batches.ts';
import { openDevice } from '../../src/gpu/device.ts';
import { applyInProcess } from '../../src/host/environment.ts';
import { expectedTensors } from '../../src/model/checkpoint.ts';
import { parseConfig } from '../../src/model/config.ts';
import { encodeSafetensors, SafetensorsBytes } from '../../src/model/safetensors-bytes.ts';
import { shapeOf } from '../../src/runtime/parameters.ts';
import { normalStream } from '../../src/runtime/random.ts';
import { qwen3Of } from '../configs.ts';
import { type CaseDescription, compute } from '../runtime/cases.ts';
import {
  adapterFrom,
  addBase,
  addBatch,
  goldenAdapter,
  programFrom,
  type Tensors,
  tensor,
  writeCase,
} from '../runtime/write-cases.ts';

const MODEL = parseConfig(qwen3Of(1));

type Case = () => { kind: CaseDescription['kind']; compiled: Compiled; tensors: Tensors };

const CASES: Record<string, Case> = {
  adapter: () => ({ kind: 'adapter', ...goldenAdapter('readme') }),
  space: () => {
    const text = `model "m" < >
${readFileSync(join(import.meta.dir, '../../examples/spaces/horn.mos'), 'utf8').match(/space horn[^>]*>/)![0]}
adapter q_proj < rank: 3; alpha: 6; experts: horn(c=learn(init=0.3)), kappa(k=learn(init=-0.2), map=exp, scale=learn), euclid; router: top2(aux=0.1) >`;
    const linear = { path: 'layer', in: 20, out: 12, bias: false };
    const compiled = adapterFrom(text, linear, 9);
    const tensors: Tensors = new Map([
      ['x', tensor(noise('x', 9 * linear.in), [9, linear.in])],
      ['dy', tensor(noise('dy', 9 * linear.out), [9, linear.out])],
    ]);
    return { kind: 'adapter', compiled, tensors: addParameters(tensors, compiled) };
  },
  training: () =>
    training(
      `model "m" < dtype: f32 >
adapter q_proj, v_proj < rank: 4; dropout: 0.1; experts: hyperbolic(c=learn(init=0.5)), sphere(c=learn, map=exp), euclid; router: top2(aux=0.05) >
adapter second: down_proj < rank: 3; experts: kappa(k=learn, scale=learn) * 2; router: soft >`,
      3,
    ),
  nf4: () =>
    training(
      `model "m" < dtype: nf4 >
adapter o_proj < rank: 4; experts: hyperbolic, euclid; router: top1 >`,
      1,
    ),
};

function training(text: string, steps: number): ReturnType<Case> {
  const program = programFrom(`${text}
data "d.jsonl" < length: 16; loss: all >
train < steps: 3; batch: 3; lr: 1e-2; clip: 0.5 >`);
  const { compiled, diagnostics } = compile(program, MODEL);
  if (!compiled) throw new Error(diagnostics.map(d => d.message).join('\n'));
  const tensors: Tensors = new Map();
  const shapes = expectedTensors(MODEL);
  addBase(tensors, compiled.plan, name => {
    const shape = shapes.get(name)!;
    const values = noise(
      name,
      shape.reduce((a, b) => a * b, 1),
    );
    const base = name.endsWith('norm.weight') ? 1 : 0;
    return values.map(v => base + (shape.length === 2 ? v / Math.sqrt(shape[1]) : 0.2 * v));
  });
  for (let step = 0; step < steps; step++) {
    const rows = [5, 11, 16].map(length => {
      const ids = Int32Array.from(
        noise(`batch ${step} ${length}`, length),
        v => Math.floor(Math.abs(v) * 1e4) % MODEL.vocabulary,
      );
      return { ids, labels: ids };
    });
    addBatch(tensors, step, pack(rows));
  }
  return { kind: 'training', compiled, tensors: addParameters(tensors, compiled) };
}

function noise(name: string, count: number): Float32Array {
  const random = normalStream(7, name);
  return Float32Array.from({ length: count }, (_, i) => random(i));
}

/** Away from every special point: B is not zero, routers have opinions. */
function addParameters(tensors: Tensors, { plan }: Compiled): Tensors {
  for (const p of plan.parameters) {
    const start = p.init.kind === 'constant' && p.kind !== 'B' ? p.init.value : 0;
    const scale = p.kind === 'A' || p.kind === 'router' ? 1 / Math.sqrt(p.columns) : 0.2;
    const values = noise(p.name, p.rows * p.columns).map(v => start + scale * v);
    tensors.set(`param.${p.name}`, tensor(values, shapeOf(p)));
  }
  return tensors;
}

await applyInProcess();
const opened = await openDevice();
for (const [name, make] of Object.entries(CASES)) {
  const folder = join(import.meta.dir, name);
  if (existsSync(folder)) continue;
  const { kind, compiled, tensors } = make();
  if (![...tensors.keys()].some(key => key.startsWith('want.'))) {
    const bytes = new Uint8Array(Buffer.concat(encodeSafetensors(tensors)));
    const out = await compute(kind, compiled, new SafetensorsBytes(bytes), opened.device);
    for (const [key, values] of out) tensors.set(`want.${key}`, tensor(values));
  }
  writeCase(folder, compiled, kind, tensors);
  const texts = Buffer.from(JSON.stringify(Object.fromEntries(compiled.files)));
  writeFileSync(join(folder, 'kernels.json.gz'), Bun.gzipSync(texts, { level: 9 }));
  rmSync(join(folder, 'kernels'), { recursive: true });
  console.log(`wrote ${name}`);
}
opened.close();
