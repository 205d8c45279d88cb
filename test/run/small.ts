/**
 * Plans on a random base model small enough to check by brute force: two layers of width 32 with everything the base
 * operations can do (biases, norms of heads, shared key-value heads, a head of its own, an odd vocabulary). Executors
 * are kept for the whole process, so that files which use the same plan compile its pipelines once.
 */
import { type Compiled, type CompileOptions, compile } from '../../compiler/index.ts';
import type { ModelShape } from '../../compiler/plan/model.ts';
import type { Plan, PlanParameter } from '../../compiler/plan/schema.ts';
import { check } from '../../dsl/index.ts';
import type { Program } from '../../dsl/program.ts';
import { type PackedBatch, pack } from '../../src/data/batches.ts';
import { IGNORED } from '../../src/data/labels.ts';
import { expectedTensors } from '../../src/model/checkpoint.ts';
import { parseConfig } from '../../src/model/config.ts';
import { Executor, type ExecutorOptions } from '../../src/runtime/executor.ts';
import { insert, parameterFloats } from '../../src/runtime/parameters.ts';
import { lastVariant } from '../../src/runtime/pipelines.ts';
import { normalStream } from '../../src/runtime/random.ts';
import { Session } from '../../src/runtime/session.ts';
import { qwen3Of } from '../configs.ts';
import { gpu } from '../gpu/harness.ts';
import { generator } from '../kernels/numbers.ts';

export const SMALL = parseConfig(qwen3Of(2));
export const VOCABULARY = SMALL.vocabulary;

export interface Text {
  adapters: string;
  model?: string;
  train?: string;
  data?: string;
  evals?: string;
}

/** The checked program; `adapters` are whole blocks, '' is a bare model. */
export function programOf({
  adapters,
  model = '',
  train = '',
  data = 'length: 32; loss: all',
  evals = '',
}: Text): Program {
  const text = `model "m" < ${model} >
data "d.jsonl" < ${data} >
train < steps: 20; batch: 5; lr: 1e-2; clip: 0; schedule: constant; ${train} >
${adapters || 'adapter q_proj < >'}
${evals}`;
  const { program, diagnostics } = check('small.mos', text);
  if (!program)
    throw new Error(`${text}\n${diagnostics.map(d => `${d.span?.line}: ${d.message}`).join('\n')}`);
  return adapters ? program : { ...program, adapters: [] };
}

export function compileSmall(text: Text, options?: CompileOptions): Compiled {
  const { compiled, diagnostics } = compile(programOf(text), SMALL, options);
  if (!compiled) throw new Error(diagnostics.map(d => d.message).join('\n'));
  return compiled;
}

/** Weights with outputs of about the size of their inputs, so that every part of the model matters to the loss. */
export const weightsOf = (model: ModelShape) =>
  new Map(
    [...expectedTensors(model)].map(([name, shape]) => {
      const random = normalStream(11, name);
      const count = shape.reduce((a, b) => a * b, 1);
      const value =
        shape.length === 2 ? (i: number) => random(i) / Math.sqrt(shape[1]) : (i: number) => 0.2 * random(i);
      const base = name.endsWith('norm.weight') ? 1 : 0;
      return [name, Float32Array.from({ length: count }, (_, i) => base + value(i))];
    }),
  );

export interface Rig {
  plan: Plan;
  executor: Executor;
  session: Session;
}

const KEEP = Symbol.for('mos.test.rigs');
type Kept = typeof globalThis & { [KEEP]?: Map<string, Promise<Rig>> };
const kept = globalThis as Kept;
kept[KEEP] ??= new Map();
const rigs = kept[KEEP];

/** An executor for the program; the same one whenever the same is asked for. */
export function openSmall(text: Text, options: CompileOptions = {}, how: ExecutorOptions = {}): Promise<Rig> {
  const key = JSON.stringify([text, options, how]);
  let rig = rigs.get(key);
  if (!rig) {
    rig = openCompiled(compileSmall(text, options), how);
    rigs.set(key, rig);
  }
  return rig;
}

export async function openCompiled(
  { plan, files }: Compiled,
  how: ExecutorOptions = {},
  shape: ModelShape = SMALL,
): Promise<Rig> {
  const tensors = weightsOf(shape);
  const executor = await Executor.open(
    plan,
    files,
    gpu!,
    async (name, range) => {
      const values = tensors.get(name)!;
      return range ? values.subarray(range.from, range.from + range.count) : values;
    },
    // what a run takes once it has compared the results
    { choose: lastVariant(how.hardwareVariants ?? !gpu!.software, true), ...how },
  );
  return { plan, executor, session: new Session(executor) };
}

/** Parameters away from every special point: B is not zero, curvatures differ, routers have opinions. */
export function randomParameters(plan: Plan, seed: number): Float32Array {
  const flat = new Float32Array(parameterFloats(plan));
  for (const p of plan.parameters) {
    const random = normalStream(seed, p.name);
    insert(
      flat,
      p,
      Float32Array.from({ length: p.rows * p.columns }, (_, i) => startOf(p, random(i))),
    );
  }
  return flat;
}

function startOf({ kind, columns, init }: PlanParameter, random: number): number {
  switch (kind) {
    case 'A':
      return random / Math.sqrt(columns);
    case 'B':
      return 0.3 * random;
    case 'router':
      return (1.5 * random) / Math.sqrt(columns);
    default:
      return (init.kind === 'constant' ? init.value : 0) + 0.2 * random;
  }
}

export interface Sequence {
  ids: Int32Array;
  labels: Int32Array;
}

/** Random sequences of the given lengths; the first `masked` tokens of each are not learned. */
export function sequences(seed: number, lengths: readonly number[], masked = 0): Sequence[] {
  const random = generator(seed);
  return lengths.map(length => {
    const ids = Int32Array.from({ length }, () => Math.floor(random() * VOCABULARY));
    return { ids, labels: ids.map((id, i) => (i < masked ? IGNORED : id)) };
  });
}

export const batchOf = (seed: number, lengths: readonly number[], masked = 0): PackedBatch =>
  pack(sequences(seed, lengths, masked));

/** Plain training: nothing random, no balance loss. Two names on one module; what is not adapted compiles once for all. */
export const PLAIN: Text = {
  adapters: `
adapter q_proj, k_proj, v_proj < rank: 4; experts: hyperbolic(c=learn(init=0.5)), kappa(k=learn, map=exp, scale=learn), euclid; router: top2(aux=0) >
adapter math: q_proj < rank: 4; experts: sphere(map=exp) >`,
};

/** Every kind of parameter, space, map, router and gate; dropout and noise. */
export const EVERYTHING: Text = {
  adapters: `
adapter q_proj layers 0 < alpha: 12; experts: hyperbolic(c=learn(init=2), rank=4), sphere(c=learn(init=1), map=exp, rank=3), euclid(rank=2); router: top2(aux=0.5, z=0.1) >
adapter k_proj layers 0 < rank: 4; alpha: 8; experts: kappa(k=learn(init=0.3), map=exp), kappa(k=learn(init=-0.4)); router: soft(noise=0.3) >
adapter v_proj layers 0 < rank: 4; alpha: 4; experts: hyperbolic(c=learn(init=1), map=exp, scale=learn) >
adapter o_proj < rank: 4; alpha: 8; dropout: 0.25; experts: sphere(c=learn(init=1), scale=learn), hyperbolic(c=learn(init=1), map=exp), euclid; router: top1(aux=0.2, z=0.2) >
adapter math: o_proj < rank: 3; alpha: 4; rslora: true; dropout: 0.25; experts: kappa(k=learn(init=0.5)) >
adapter gate_proj layers 0 < rank: 3; alpha: 6; experts: hyperbolic(c=learn(init=1)), sphere(c=learn(init=1)), euclid; router: top2(on=rank, aux=0.4, gate=softmax) >
adapter up_proj layers 0 < rank: 5; rslora: true; experts: euclid >
adapter down_proj layers 1 < rank: 4; experts: euclid * 2; router: soft(gate=softmax) >`,
};
