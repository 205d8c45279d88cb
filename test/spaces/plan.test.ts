/** Declared spaces through the whole compiler: gradients, shared parameters, and a start from B = 0 whose gain is not even. */
import { expect, test } from 'bun:test';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { compileAdapter } from '../../compiler/adapter.ts';
import type { Compiled } from '../../compiler/index.ts';
import type { Plan } from '../../compiler/plan/schema.ts';
import type { Expression, Program, SpaceProfile } from '../../dsl/program.ts';
import { openDevice } from '../../src/gpu/device.ts';
import { loadAdapter, saveAdapter } from '../../src/run/adapter-file.ts';
import { Executor } from '../../src/runtime/executor.ts';
import { extract, initialParameters, insert, parameterFloats } from '../../src/runtime/parameters.ts';
import { EVALUATION, switchAdapters } from '../../src/runtime/session.ts';
import { curvatureRanges, STATS_FLOATS, telemetryOf } from '../../src/runtime/telemetry.ts';
import { gpuTest } from '../gpu/harness.ts';
import { noiseSource } from '../kernels/gains_site.ts';
import { programOf } from './space.ts';

const [IN, OUT, TOKENS] = [8, 6, 5];
const read = (name: string) =>
  readFileSync(new URL(`../../examples/spaces/${name}.mos`, import.meta.url), 'utf8');

function compiled(text: string): { program: Program; compiled: Compiled } {
  const program = programOf(text);
  const linear = { path: 'model.layers.0.q_proj', in: IN, out: OUT, bias: false };
  return {
    program,
    compiled: compileAdapter(program.adapters[0], linear, TOKENS, program.train, program.spaces),
  };
}

interface Run {
  y: Float32Array;
  dx: Float32Array;
  grads: Float32Array;
  params: Float32Array;
  stats: Float32Array;
}

interface Runner {
  run(flat: Float32Array, x: Float32Array, dy: Float32Array): Promise<Run>;
  close(): void;
}

/** Pipelines are compiled once per runner. */
async function open({ plan, files }: Compiled): Promise<Runner> {
  const opened = await openDevice({ limits: plan.requires.limits });
  const executor = await Executor.open(plan, files, opened, () => Promise.reject(new Error('no base')));
  return {
    close() {
      executor.close();
      opened.close();
    },
    async run(flat, x, dy) {
      executor.write('params', flat);
      switchAdapters(executor, new Set(plan.slots));
      executor.write('x', x);
      executor.write('dy', dy);
      executor.clear('grads', 'row');
      const symbols = { tokens: TOKENS, targets: 0, rows: 1 };
      await executor.run(['refresh', 'adapter.forward', 'adapter.backward'], symbols, EVALUATION);
      const [y, dx, grads, params, stats] = await Promise.all([
        executor.read('y', dy.length),
        executor.read('dx', x.length),
        executor.read('grads', flat.length),
        executor.read('params', flat.length),
        executor.read('stats', STATS_FLOATS),
      ]);
      return { y, dx, grads, params, stats };
    },
  };
}

async function run(made: Compiled, flat: Float32Array, x: Float32Array, dy: Float32Array): Promise<Run> {
  const runner = await open(made);
  try {
    return await runner.run(flat, x, dy);
  } finally {
    runner.close();
  }
}

function evaluate(e: Expression, env: Record<string, number>): number {
  const go = (of: Expression) => evaluate(of, env);
  switch (e.kind) {
    case 'number':
      return e.value;
    case 'name':
      return env[e.name];
    case 'negate':
      return -go(e.operand);
    case 'binary': {
      const [a, b] = [go(e.left), go(e.right)];
      return { '+': a + b, '-': a - b, '*': a * b, '/': a / b, '^': a ** b }[e.operator];
    }
    default: {
      const [x, y] = e.args.map(go);
      if (e.name === 'sin_k' || e.name === 'asin_k') throw new Error('not needed here');
      return e.name === 'min' || e.name === 'max' ? Math[e.name](x, y) : Math[e.name](x);
    }
  }
}

/** The map on vectors, as the profile says. */
function along({ variable, body }: SpaceProfile, env: Record<string, number>, v: number[]): number[] {
  const r = Math.hypot(...v);
  return r === 0 ? v : v.map(c => (c * evaluate(body, { ...env, [variable]: r })) / r);
}

/** Σ y·dy of a single expert, in float64, from the definition: drop(B A lift(x/σ))·σ. */
function loss(
  { program, plan }: { program: Program; plan: Plan },
  tensors: Map<string, number[]>,
  x: number[][],
  dy: number[][],
): number {
  const [definition] = program.spaces!;
  const [{ rank, alpha }] = program.adapters;
  const of = (end: string) => tensors.get(plan.parameters.find(p => p.name.endsWith(end))!.name)!;
  const [a, b] = [of('.A'), of('.B')];
  const env = Object.fromEntries(
    definition.parameters.map(({ name, domain }) => {
      const [stored] = of(`.parameters.${name}`);
      return [
        name,
        domain === 'real' ? stored : domain === 'positive' ? Math.exp(stored) : 1 / (1 + Math.exp(-stored)),
      ];
    }),
  );
  const sigma = Math.sqrt(IN);
  let sum = 0;
  x.forEach((row, t) => {
    const up = along(
      definition.lift,
      env,
      row.map(v => v / sigma),
    );
    const z = Array.from({ length: rank }, (_, j) => up.reduce((s, v, i) => s + a[j * IN + i] * v, 0));
    const u = Array.from({ length: OUT }, (_, o) => z.reduce((s, v, j) => s + b[o * rank + j] * v, 0));
    along(definition.drop, env, u).forEach((v, o) => {
      sum += (alpha / rank) * sigma * v * dy[t][o];
    });
  });
  return sum;
}

const noise = noiseSource(7);
const rows = (width: number, scale: number) =>
  Array.from({ length: TOKENS }, () => Array.from({ length: width }, () => Math.fround(scale * noise())));
const packed = (matrix: number[][], ld: number) =>
  Float32Array.from(matrix.flatMap(row => [...row, ...new Array(ld - row.length).fill(0)]));

for (const [name, use] of [
  ['hyplora', 'hyplora(k=learn(init=0.7), s=learn(init=1.3))'],
  ['horn', 'horn(c=learn(init=0.8))'],
] as const) {
  gpuTest(`${name}: every gradient of an adapter against differences of its definition`, async () => {
    const made = compiled(`${read(name)}\nadapter q_proj < rank: 3; alpha: 6; experts: ${use} >`);
    const { plan } = made.compiled;
    const flat = initialParameters(plan, 3);
    for (const p of plan.parameters)
      if (p.kind === 'B')
        insert(
          flat,
          p,
          Float32Array.from({ length: p.rows * p.columns }, () => noise()),
        );
    const [x, dy] = [rows(IN, 2), rows(OUT, 1)];
    const result = await run(made.compiled, flat, packed(x, IN), packed(dy, 8));
    const tensors = new Map(plan.parameters.map(p => [p.name, [...extract(flat, p)]]));
    const difference = (values: number[], i: number) => {
      const at = (d: number) => {
        const kept = values[i];
        values[i] = kept + d;
        const found = loss({ program: made.program, plan }, tensors, x, dy);
        values[i] = kept;
        return found;
      };
      return (8 * (at(1e-4) - at(-1e-4)) - (at(2e-4) - at(-2e-4))) / 12e-4;
    };
    for (const p of plan.parameters) {
      const values = tensors.get(p.name)!;
      const want = values.map((_, i) => difference(values, i));
      const got = extract(result.grads, p);
      const error = Math.hypot(...want.map((w, i) => w - got[i])) / Math.hypot(...want);
      if (!(error < 1e-5)) throw new Error(`${p.name}: relative error ${error}`);
    }
    const wantX = x.flatMap(row => row.map((_, i) => difference(row, i)));
    expect(Math.hypot(...wantX.map((w, i) => w - result.dx[i])) / Math.hypot(...wantX)).toBeLessThan(1e-5);
  });
}

gpuTest('a profile that is not even trains from B = 0', async () => {
  const { compiled: made } = compiled(
    `${read('horn')}\nadapter q_proj < rank: 3; experts: horn(c=learn(init=0.8)) >`,
  );
  const { plan } = made;
  const flat = initialParameters(plan, 3);
  const [x, dy] = [rows(IN, 2), rows(OUT, 1)];
  x[1].fill(0);
  const b = plan.parameters.find(p => p.kind === 'B')!;
  const runner = await open(made);
  for (let step = 0; step < 3; step++) {
    const { grads, y, dx } = await runner.run(flat, packed(x, IN), packed(dy, 8));
    expect([...grads, ...y, ...dx].every(Number.isFinite)).toBe(true);
    expect(Math.hypot(...extract(grads, b))).toBeGreaterThan(0.1);
    for (let i = 0; i < flat.length; i++) flat[i] -= 0.01 * grads[i];
  }
  runner.close();
});

const SHARED = `let one = horn(c=learn(init=0.8, share=all));
adapter q_proj < rank: 3; alpha: 6; experts: $one * 2, horn(c=learn(init=0.8)); router: soft >`;

gpuTest('experts that share a parameter train one, with the sum of their gradients', async () => {
  const shared = compiled(`${read('horn')}\n${SHARED}`).compiled;
  const apart = compiled(`${read('horn')}\n${SHARED.replace(', share=all', '')}`).compiled;
  const names = (plan: Plan) =>
    plan.parameters.filter(p => p.kind === 'parameter').map(p => p.name.replace(/^.*experts/, ''));
  expect(names(shared.plan)).toEqual(['.0.parameters.c', '.2.parameters.c']);
  expect(names(apart.plan)).toEqual(['.0.parameters.c', '.1.parameters.c', '.2.parameters.c']);

  const [x, dy] = [rows(IN, 2), rows(OUT, 1)];
  const results: Run[] = [];
  for (const { plan, files } of [shared, apart]) {
    const flat = initialParameters(plan, 3);
    for (const p of plan.parameters) {
      if (p.kind === 'B')
        insert(
          flat,
          p,
          Float32Array.from({ length: p.rows * p.columns }, (_, i) => Math.sin(i + p.name.length)),
        );
      if (p.kind === 'parameter' && !p.name.includes('.2.')) insert(flat, p, [0.25]);
    }
    results.push(await run({ plan, files }, flat, packed(x, IN), packed(dy, 8)));
  }
  const grads = [shared, apart].map(({ plan }, i) =>
    Object.fromEntries(
      plan.parameters
        .filter(p => p.kind === 'parameter')
        .map(p => [p.name.replace(/^.*experts/, ''), extract(results[i].grads, p)[0]]),
    ),
  );
  expect(results[0].y).toEqual(results[1].y);
  expect(grads[0]['.0.parameters.c']).toBeCloseTo(
    grads[1]['.0.parameters.c'] + grads[1]['.1.parameters.c'],
    4,
  );
  expect(grads[0]['.2.parameters.c']).toBe(grads[1]['.2.parameters.c']);
  // Copies follow the first, and have no gradient of their own: a norm counts the parameter once.
  const values = telemetryOf(
    shared.plan,
    results[0].stats,
    Float32Array.from(curvatureRanges(shared.plan), r => results[0].params[r.offset]),
  );
  expect(values[0].parameters.map(p => p.c)).toEqual([
    Math.exp(0.25),
    Math.exp(0.25),
    Math.exp(Math.fround(Math.log(0.8))),
  ]);
  const table = shared.plan.buffers.find(b => b.name === 'tie_table')!.content as { values: number[] };
  const [, count, first, copy] = table.values;
  expect(count).toBe(1);
  expect(results[0].params[copy]).toBe(results[0].params[first]);
  expect(results[0].grads[copy]).toBe(0);
});

test('stored forms, bounds, rates and decay of parameters are groups of the optimiser', () => {
  const { plan } =
    compiled(`space s(a: positive, b: real, d: unit) < lift(r) = r * (1 + a*0 + b*0 + d*0); drop(r) = r*(1 + a*b*d - a*b*d) >
adapter q_proj < experts: s(a=learn(init=0.5, min=0.1, max=2, lr=0.3), b=learn(init=-1, decay=0.2), d=learn(init=0.25)) >`).compiled;
  const by = Object.fromEntries(
    plan.parameters.filter(p => p.kind === 'parameter').map(p => [p.name.slice(-1), p]),
  );
  const init = (name: string) => (by[name].init as { value: number }).value;
  expect([init('a'), init('b'), init('d')]).toEqual([Math.log(0.5), -1, Math.log(0.25 / 0.75)]);
  expect(plan.groups[by.a.group]).toMatchObject({
    min: Math.log(0.1),
    max: Math.log(2),
    lr: 0.3,
    weightDecay: 0,
  });
  expect(plan.groups[by.b.group]).toMatchObject({ min: null, weightDecay: 0.2 });
  expect(plan.sites[0].experts[0].parameters.map(p => [p.name, p.stored, p.learned])).toEqual([
    ['a', 'log', true],
    ['b', 'plain', true],
    ['d', 'logit', true],
  ]);
});

test('adapter files keep parameters by name', async () => {
  const { compiled: made } = compiled(`${read('hyplora')}\nadapter q_proj < rank: 3; experts: hyplora >`);
  const flat = initialParameters(made.plan, 5);
  const folder = mkdtempSync(join(tmpdir(), 'mos-space-'));
  saveAdapter(folder, made.plan, flat, { step: 1, base: 'b', data: 'd', seed: 5, exact: true });
  const back = loadAdapter(folder, made.plan);
  expect(back.length).toBe(parameterFloats(made.plan));
  for (const p of made.plan.parameters) expect(extract(back, p)).toEqual(extract(flat, p));
  rmSync(folder, { recursive: true });
});
