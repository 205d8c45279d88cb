/** Reference trainings: same adapters, batches and optimiser; every step's loss, norm and balance loss, then the tensors. */
import { join } from 'node:path';
import { z } from 'zod';
import { compile } from '../../compiler/index.ts';
import type { Plan } from '../../compiler/plan/schema.ts';
import type { Program } from '../../dsl/program.ts';
import { pack } from '../data/batches.ts';
import { type Checkpoint, openCheckpoint } from '../model/checkpoint.ts';
import { readJson } from '../model/files.ts';
import { openSafetensors, type SafetensorsFile } from '../model/safetensors.ts';
import { extract, insert, parameterFloats } from '../runtime/parameters.ts';
import { Session } from '../runtime/session.ts';
import { openCase } from './open.ts';
import {
  adapterBlock,
  bareProgram,
  expertOf,
  expertSchema,
  gateSchema,
  routerOf,
  routerSchema,
} from './program.ts';
import { Comparison, type Row, TOLERANCE } from './report.ts';

const indexSchema = z.object({
  base: z.string(),
  rank: z.int(),
  alpha: z.number(),
  steps: z.int(),
  batch: z.int(),
  optimizer: z.object({
    kind: z.literal('adamw'),
    lr: z.number(),
    weight_decay: z.number(),
    betas: z.tuple([z.number(), z.number()]),
    eps: z.number(),
  }),
  curvature_lr: z.number(),
  clip_global_norm: z.number(),
  adapters: z.array(
    z.object({
      module: z.string(),
      layers: z.tuple([z.int(), z.int()]),
      router: routerSchema,
      gate: gateSchema,
      aux: z.number(),
      experts: z.array(expertSchema),
    }),
  ),
});

export async function verifyTrajectory(folder: string, models: string): Promise<Row[]> {
  const trajectory = openTrajectory(folder, models);
  try {
    return await run(trajectory);
  } finally {
    trajectory.close();
  }
}

/** A reference training on disk: its program, its batches, and its initial adapter tensors. The caller closes it. */
export function openTrajectory(folder: string, models: string) {
  const index = indexSchema.parse(readJson(join(folder, 'index.json')));
  const file = openSafetensors(join(folder, 'trajectory.safetensors'));
  const checkpoint = openCheckpoint(join(models, index.base));
  const close = () => {
    file.close();
    checkpoint.close();
  };
  const start = (plan: Plan) => {
    const flat = new Float32Array(parameterFloats(plan));
    for (const p of plan.parameters) insert(flat, p, file.readF64(`initial.${p.name}`));
    return flat;
  };
  return {
    index,
    file,
    steps: index.steps,
    program: programOf(index, file, checkpoint),
    checkpoint,
    batch: (step: number) => pack(rowsOf(file, step)),
    start,
    close,
  };
}

function programOf(
  index: z.infer<typeof indexSchema>,
  file: SafetensorsFile,
  checkpoint: Checkpoint,
): Program {
  const { rank, alpha, optimizer } = index;
  const adapters = index.adapters.map(a =>
    adapterBlock({
      target: a.module,
      layers: a.layers,
      rank,
      alpha,
      experts: a.experts.map(e => expertOf(e, rank)),
      router: routerOf(a.router, a.gate, a.aux, a.experts.length),
    }),
  );
  const longest = Math.max(
    ...Array.from({ length: index.steps }, (_, i) => file.tensor(`batch.${i}.input_ids`).shape[1]),
  );
  return bareProgram(
    checkpoint.folder,
    adapters,
    {
      steps: index.steps,
      batch: index.batch,
      lr: optimizer.lr,
      clip: index.clip_global_norm,
      optimizer: {
        kind: 'adamw',
        beta1: optimizer.betas[0],
        beta2: optimizer.betas[1],
        eps: optimizer.eps,
        weightDecay: optimizer.weight_decay,
      },
      curvature: { kind: 'adam', lr: index.curvature_lr },
    },
    longest,
  );
}

async function run(trajectory: ReturnType<typeof openTrajectory>): Promise<Row[]> {
  const { index, file, program, checkpoint, steps } = trajectory;
  const { compiled, diagnostics } = compile(program, checkpoint.shape);
  if (!compiled)
    throw new Error(`bug: a reference case does not compile: ${diagnostics.map(d => d.message).join('; ')}`);
  const { plan } = compiled;
  const { opened, executor } = await openCase(compiled, checkpoint.source());
  const comparison = new Comparison('train');
  try {
    const session = new Session(executor);
    session.start(trajectory.start(plan));
    const seen = { loss: [] as number[], aux: [] as number[], grad_norm: [] as number[] };
    for (let step = 0; step < steps; step++) {
      const result = await session.step([trajectory.batch(step)], 1, step, 0);
      seen.loss.push(result.loss);
      seen.aux.push(result.balance);
      seen.grad_norm.push(result.norm);
      if (step > 0) continue;
      const clipped = storedClipped(plan, file, index.clip_global_norm);
      const factor = clipped ? index.clip_global_norm / (result.norm + 1e-6) : 1;
      const gradients = (await executor.read('grads', parameterFloats(plan))).map(g => g * factor);
      for (const p of plan.parameters) {
        const tolerance = p.kind === 'curvature' ? TOLERANCE.curvature : TOLERANCE.gradient;
        const name = `gradient.${p.name}`;
        comparison.check(
          clipped ? `clipped ${name}` : name,
          extract(gradients, p),
          file.readF64(name),
          tolerance,
        );
      }
    }
    perStep(comparison, file, seen);
    const final = await session.parameters();
    for (const p of plan.parameters) {
      comparison.checkMoved(
        `final.${p.name}`,
        extract(final, p),
        file.readF64(`final.${p.name}`),
        file.readF64(`initial.${p.name}`),
        TOLERANCE.final,
      );
    }
  } finally {
    executor.close();
    opened.close();
  }
  return comparison.rows;
}

/**
 * Whether the reference stored its gradients after clipping them: their joint norm is then the clipping threshold while
 * the norm it reports is larger. Comparing directions alone would hide a wrong scale, so the scale is decided here.
 */
function storedClipped(plan: Plan, file: SafetensorsFile, threshold: number): boolean {
  const squares = plan.parameters.map(p =>
    file.readF64(`gradient.${p.name}`).reduce((sum, g) => sum + g * g, 0),
  );
  const norm = Math.sqrt(squares.reduce((a, b) => a + b, 0));
  const [reported] = file.readF64('grad_norm');
  return reported > threshold && Math.abs(norm - threshold) < 1e-4 * threshold;
}

/** The sequences of a padded reference batch, without their padding. */
function rowsOf(file: SafetensorsFile, step: number): { ids: Int32Array; labels: Int32Array }[] {
  const [rows, length] = file.tensor(`batch.${step}.input_ids`).shape;
  const [ids, labels, valid] = ['input_ids', 'labels', 'valid'].map(n => file.readInts(`batch.${step}.${n}`));
  return Array.from({ length: rows }, (_, r) => {
    const at = r * length;
    const count = valid.slice(at, at + length).reduce((a, b) => a + b, 0);
    return {
      ids: Int32Array.from(ids.slice(at, at + count)),
      labels: Int32Array.from(labels.slice(at, at + count)),
    };
  });
}

function perStep(
  comparison: Comparison,
  file: SafetensorsFile,
  seen: Record<'loss' | 'aux' | 'grad_norm', number[]>,
): void {
  for (const name of ['loss', 'aux', 'grad_norm'] as const) {
    const reference = file.readF64(name);
    for (const [step, value] of seen[name].entries()) {
      comparison.check(`${name}[${step}]`, [value], [reference[step]], TOLERANCE.trajectory);
    }
  }
}
