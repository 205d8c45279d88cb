/** The programs that reference cases stand for, written as the checked programs a `.mos` file would give. */
import { z } from 'zod';
import type { AdapterBlock, Expert, Program, Router, Span } from '../../dsl/program.ts';

/** Reference cases have no source text. */
export const NOWHERE: Span = { file: 'reference case', start: 0, end: 0, line: 1, column: 1 };

export const expertSchema = z.object({
  space: z.enum(['euclid', 'hyperbolic', 'sphere', 'kappa']),
  map: z.enum(['stereo', 'exp']).optional(),
});
export const routerSchema = z.string().regex(/^(soft|top\d+)$/);
export const gateSchema = z.enum(['renorm', 'softmax']);

/** Curvatures start where the case puts them, so the initial value does not matter. */
export function expertOf({ space, map }: z.infer<typeof expertSchema>, rank: number): Expert {
  if (space === 'euclid') return { space, learnScale: false, rank, origin: NOWHERE };
  return {
    space,
    map: map ?? 'stereo',
    curvature: { kind: 'learn', init: 0.1 },
    learnScale: false,
    rank,
    origin: NOWHERE,
  };
}

export function routerOf(
  name: string,
  gate: Router['gate'],
  aux: number,
  experts: number,
): Router | undefined {
  if (experts === 1) return undefined;
  const soft = name === 'soft';
  return {
    kind: soft ? 'soft' : 'top',
    k: soft ? experts : Math.min(Number(name.slice(3)), experts),
    gate,
    aux,
    z: 0,
    noise: 0,
    on: 'input',
  };
}

export function adapterBlock(
  adapter: Pick<AdapterBlock, 'rank' | 'alpha' | 'experts'> & {
    target: string;
    layers?: [number, number];
    router?: Router | undefined;
  },
): AdapterBlock {
  const { target, layers, rank, alpha, experts, router } = adapter;
  return {
    name: 'default',
    targets: [{ kind: 'suffix', text: target, origin: NOWHERE }],
    layers: layers ? [{ first: layers[0], last: layers[1], origin: NOWHERE }] : [],
    rank,
    alpha,
    rslora: false,
    dropout: 0,
    experts,
    ...(router ? { router } : {}),
    origin: NOWHERE,
  };
}

export function bareProgram(
  folder: string,
  adapters: AdapterBlock[],
  train: Partial<Program['train']>,
  length: number,
): Program {
  return {
    file: 'reference.mos',
    model: { path: folder, baseDir: '.', dtype: 'auto', origin: NOWHERE },
    adapters,
    evals: [],
    data: { paths: ['-'], baseDir: '.', format: 'auto', length, validation: 0, loss: 'all', origin: NOWHERE },
    train: {
      steps: 1,
      batch: 1,
      accumulate: 1,
      lr: 0,
      schedule: { kind: 'constant', warmup: 0, floor: 0 },
      optimizer: { kind: 'adamw', beta1: 0.9, beta2: 0.999, eps: 1e-8, weightDecay: 0 },
      curvature: { kind: 'adam', lr: 0 },
      clip: 0,
      seed: 0,
      logEvery: 1,
      validateEvery: 0,
      patience: 0,
      checkpointEvery: 0,
      origin: NOWHERE,
      ...train,
    },
  };
}
