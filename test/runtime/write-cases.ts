/** Writes reference cases (cases.ts): from the arrays in test/golden, and from what this version computes. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { compileAdapter } from '../../compiler/adapter.ts';
import { type Compiled, compile } from '../../compiler/index.ts';
import type { LinearShape } from '../../compiler/plan/model.ts';
import type { Plan } from '../../compiler/plan/schema.ts';
import { check } from '../../dsl/index.ts';
import type { Program } from '../../dsl/program.ts';
import type { PackedBatch } from '../../src/data/batches.ts';
import { NO_TARGET } from '../../src/data/batches.ts';
import { IGNORED } from '../../src/data/labels.ts';
import { openSafetensors, type TensorData, writeSafetensors } from '../../src/model/safetensors.ts';
import { writePlan } from '../../src/run/plan-folder.ts';
import { shapeOf } from '../../src/runtime/parameters.ts';
import { adapterCases, compileCase, nameInCase } from '../../src/verify/adapters.ts';
import { openTrajectory } from '../../src/verify/trajectory.ts';
import type { CaseDescription } from './cases.ts';

const GOLDEN = join(import.meta.dir, '../golden');
const MODELS = join(import.meta.dir, '../../examples/models');
/** Of float32 against float64 (test/golden/README.md). */
const TOLERANCE = {
  adapter: { y: 1e-5, dx: 1e-4, grad: 1e-4, curvature: 1e-3 },
  training: { loss: 1e-4, norm: 1e-4, validation: 1e-4, final: 1e-2 },
} as const;

export type Tensors = Map<string, TensorData>;

export const tensor = (values: ArrayLike<number>, shape = [values.length]): TensorData => ({
  dtype: 'F32',
  shape,
  data: Float32Array.from(values),
});

/** Writes a case as a plan folder with its tensors. */
export function writeCase(
  folder: string,
  { plan, files }: Compiled,
  kind: CaseDescription['kind'],
  tensors: Tensors,
): void {
  writePlan(folder, plan, files);
  // without the spaces: some of these are kept for ever
  writeFileSync(join(folder, 'plan.json'), JSON.stringify(plan));
  writeSafetensors(join(folder, 'case.safetensors'), tensors);
  const description: CaseDescription = { kind, tolerance: TOLERANCE[kind] };
  writeFileSync(join(folder, 'case.json'), `${JSON.stringify(description, null, 1)}\n`);
}

/** One of test/golden/adapters, whose gradients are those of Σ y·dy and the balance loss. */
export function goldenAdapter(name: string): { compiled: Compiled; tensors: Tensors } {
  const one = adapterCases(join(GOLDEN, 'adapters')).find(c => c.name === name)!;
  const compiled = compileCase(one);
  using file = openSafetensors(join(GOLDEN, 'adapters', `${name}.safetensors`));
  const tensors: Tensors = new Map([
    ['x', tensor(file.readF32('x'), [one.tokens, one.d_in])],
    ['dy', tensor(file.readF32('dy'), [one.tokens, one.d_out])],
    ['want.y', tensor(file.readF32('y'))],
    ['want.dx', tensor(file.readF32('grad.x'))],
  ]);
  for (const p of compiled.plan.parameters) {
    const own = nameInCase(p.name);
    tensors.set(`param.${p.name}`, tensor(file.readF32(own), shapeOf(p)));
    tensors.set(`want.grad.${p.name}`, tensor(file.readF32(`grad.${own}`)));
  }
  return { compiled, tensors };
}

/** The first steps of test/golden/train. */
export function goldenTraining(): { compiled: Compiled; tensors: Tensors } {
  const trajectory = openTrajectory(join(GOLDEN, 'train'), MODELS);
  using file = openSafetensors(join(GOLDEN, 'train/trajectory.safetensors'));
  try {
    const { program, checkpoint, steps } = trajectory;
    const compiled = compile(program, checkpoint.shape).compiled!;
    const tensors: Tensors = new Map([
      ['want.loss', tensor(file.readF32('loss'))],
      ['want.norm', tensor(file.readF32('grad_norm'))],
    ]);
    addBase(tensors, compiled.plan, name => checkpoint.readF32(name));
    for (let step = 0; step < steps; step++) addBatch(tensors, step, trajectory.batch(step));
    for (const p of compiled.plan.parameters) {
      tensors.set(`param.${p.name}`, tensor(file.readF32(`initial.${p.name}`), shapeOf(p)));
      tensors.set(`want.final.${p.name}`, tensor(file.readF32(`final.${p.name}`)));
    }
    return { compiled, tensors };
  } finally {
    trajectory.close();
  }
}

/** Every tensor of the base model that a plan loads, in full. */
export function addBase(tensors: Tensors, plan: Plan, read: (name: string) => ArrayLike<number>): void {
  for (const { content } of plan.buffers) {
    if (content?.kind !== 'weights') continue;
    for (const { tensor: name } of content.parts) tensors.set(`base.${name}`, tensor(read(name)));
  }
}

export function addBatch(tensors: Tensors, step: number, batch: PackedBatch): void {
  const lengths = new Array<number>(batch.rows).fill(0);
  for (const row of batch.row) lengths[row]++;
  const labels = Array.from(batch.ids, (_, t) => {
    const target = t > 0 && batch.row[t] === batch.row[t - 1] ? batch.targetOf[t - 1] : NO_TARGET;
    return target === NO_TARGET ? IGNORED : batch.labels[target];
  });
  tensors.set(`batch.${step}.ids`, tensor(batch.ids));
  tensors.set(`batch.${step}.labels`, tensor(labels));
  tensors.set(`batch.${step}.lengths`, tensor(lengths));
}

/** A checked program from its text, on a model shape that somebody else has. */
export function programFrom(text: string): Program {
  const { program, diagnostics } = check('case.mos', text);
  if (!program) throw new Error(diagnostics.map(d => d.message).join('\n'));
  return program;
}

/** The only adapter of a program, alone on a linear layer. */
export function adapterFrom(text: string, linear: LinearShape, tokens: number): Compiled {
  const program = programFrom(text);
  return compileAdapter(program.adapters[0], linear, tokens, program.train, program.spaces);
}

/** Writes golden cases into `folder` and returns their names. */
export function writeGoldenCases(folder: string, adapters: readonly string[]): string[] {
  mkdirSync(folder, { recursive: true });
  for (const name of adapters) {
    const { compiled, tensors } = goldenAdapter(name);
    writeCase(join(folder, name), compiled, 'adapter', tensors);
  }
  const { compiled, tensors } = goldenTraining();
  writeCase(join(folder, 'training'), compiled, 'training', tensors);
  return [...adapters, 'training'];
}
