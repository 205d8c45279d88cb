/**
 * Row 4: whole training steps. On the shapes of Qwen2-1.5B (one layer of it on a processor): the frozen base forward, the
 * same with gradients of its inputs, with LoRA, with mixtures; beside PyTorch eager and peft on the same work. Then a LoRA
 * step of the tiny base that comes with mos, beside jax-js, from the same numbers: their losses must agree.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Plan } from '../compiler/plan/schema.ts';
import { pack } from '../src/data/batches.ts';
import { openCheckpoint } from '../src/model/checkpoint.ts';
import { Measure, symbolsFor } from '../src/run/measure.ts';
import { type Executor, flopsOf } from '../src/runtime/executor.ts';
import { initialParameters } from '../src/runtime/parameters.ts';
import { EVALUATION, type Session, symbolsOf, writeBatch } from '../src/runtime/session.ts';
import {
  frozen,
  lora,
  mixture,
  ONE_LAYER,
  peerShape,
  planOf,
  QWEN_1_5B,
  shapeOf,
  tokenRows,
  weightsOf,
  withoutGeometry,
} from './models.ts';
import type { Bench, Outcome, Row, Table, Target } from './row.ts';
import { writeForPeer } from './tensors.ts';
import { clock, interleave, ratio, show, spread } from './timing.ts';

const RANK = 8;
const ALONE = 'frozen products, each by itself';
const TINY = join(import.meta.dirname, '..', 'examples', 'models', 'tiny-qwen2');

const samplesOf = (rows: number[][]) => {
  const ids = rows.map(row => Int32Array.from(row));
  return pack(ids.map(row => ({ ids: row, labels: row })));
};

/** Floating-point operations of frozen products and of adapters in one step: what cannot be left out. */
function necessary(plan: Plan, tokens: number): number {
  const symbols = symbolsFor(plan, 'forward');
  let flops = 0;
  for (const dispatch of ['forward', 'backward'].flatMap(name => plan.programs[name])) {
    const { bindings } = plan.kernels[dispatch.variants[0].kernel];
    const weights = bindings.findIndex(b => b.name === 'w');
    const content = weights < 0 ? undefined : plan.buffers[dispatch.bindings[weights].buffer].content;
    if (content?.kind === 'weights')
      flops += Math.min(flopsOf(dispatch, symbols), frozenFlops(content.parts, tokens));
  }
  // forward, gradient of the tensor, gradient of its input: 2 each
  for (const p of plan.parameters) if (p.kind !== 'curvature') flops += 6 * p.rows * p.columns * tokens;
  return flops;
}

const frozenFlops = (parts: { rows: number; columns: number }[], tokens: number): number =>
  2 * tokens * parts.reduce((sum, p) => sum + p.rows * p.columns, 0);

async function large(bench: Bench, batch: number, length: number) {
  const shape = shapeOf(bench.software ? ONE_LAYER : QWEN_1_5B);
  const work = { batch, length };
  const skipped: string[] = [];
  const rows = tokenRows(batch, length, shape.vocabulary);
  const packed = samplesOf(rows);
  const plans = {
    'frozen base and gradients of its inputs': withoutGeometry(planOf(shape, frozen(work))),
    'LoRA 24': withoutGeometry(planOf(shape, { ...work, adapter: lora(3 * RANK) })),
    'mixture 3 × 8, top-1': planOf(shape, { ...work, adapter: mixture(RANK, 'stereo', 1) }),
    'mixture 3 × 8, top-2': planOf(shape, { ...work, adapter: mixture(RANK, 'stereo') }),
  };
  const contenders: Record<string, () => Promise<number | undefined>> = {};
  const [base] = Object.values(plans);
  let alone!: ReturnType<typeof productsAlone>;
  const opened = await bench.device(plans['mixture 3 × 8, top-2'].plan);
  for (const [name, compiled] of Object.entries(plans)) {
    const session: Session = await bench.session(compiled, weightsOf(compiled.plan), { opened });
    let step = 0;
    if (compiled === base) {
      // an executor of its own: measuring leaves nothing of the trained state as it was
      alone = productsAlone(bench, await bench.executor(compiled, weightsOf(compiled.plan), { opened }));
      contenders[ALONE] = alone.run;
      await alone.run();
      contenders['frozen base forward'] = () =>
        clock(async () => {
          writeBatch(session.executor, packed);
          await session.executor.run(['forward'], symbolsOf(packed), EVALUATION);
          await session.executor.read('metrics', 1);
        });
    }
    contenders[name] = () => clock(() => session.step([packed], 1, step++, 0));
    bench.note(`${name}: first step`);
    await contenders[name]();
  }
  const torch = await bench.peer('torch');
  const titles: string[] = [];
  if (typeof torch === 'string') skipped.push(torch);
  else {
    const expert = (space: string, map = 'stereo') => ({ space, map, rank: RANK, scale: 6 });
    const models: Record<string, object> = {
      peft: { peft: 3 * RANK },
      eager: {
        adapter: { top: 2, aux: 0.01, experts: [expert('hyperbolic'), expert('sphere'), expert('euclid')] },
      },
    };
    for (const [id, model] of Object.entries(models)) {
      const title = `${torch.about}, ${id === 'peft' ? 'peft LoRA 24' : 'mixture 3 × 8, top-2'}`;
      try {
        await torch.ask({ do: 'model', id, shape: peerShape(shape), dtype: 'f32', ...model });
        const ask = async () => (await torch.ask<{ ms: number }>({ do: 'step', id, ids: rows })).ms;
        await ask();
        contenders[title] = ask;
        titles.push(title);
      } catch (error) {
        skipped.push(`${title}: ${error instanceof Error ? error.message : error}`);
      }
    }
  }
  const times = await interleave(contenders, bench.samples(bench.software ? 5 : 15), done =>
    bench.note(`round ${done}`),
  );
  if (typeof torch !== 'string') for (const id of ['peft', 'eager']) await torch.ask({ do: 'forget', id });
  const tokens = batch * length;
  // of what an H200 is said to do with f16, and of what matrix units reach from Vulkan
  const peaks = bench.software ? [] : [989, 612];
  const table: Table = {
    title: `${shape.layers.length} of 28 layers, ${batch} × ${length} tokens, f32`,
    head: [
      '',
      'ms',
      'tokens/s',
      'GFLOP/s of frozen products and adapters',
      ...peaks.map(peak => `% of ${peak} TFLOP/s`),
    ],
    rows: Object.entries(times).map(([name, list]) => {
      const { median } = spread(list);
      const plan = plans[name as keyof typeof plans]?.plan;
      const rate = plan && necessary(plan, tokens) / median / 1e6;
      return [
        name,
        show(spread(list), 0),
        ((1000 * tokens) / median).toPrecision(3),
        rate?.toPrecision(3) ?? '',
        ...peaks.map(peak => (rate ? (rate / peak / 10).toPrecision(3) : '')),
      ];
    }),
  };
  return { table, times, skipped, plans, titles, tokens, productFlops: alone.flops };
}

/** The frozen products of a step, each dispatch by itself: their operations, and a contender that gives milliseconds. */
function productsAlone(bench: Bench, executor: Executor) {
  const { plan } = executor;
  const measure = new Measure(executor);
  const symbols = symbolsFor(plan, 'forward');
  const products = ['forward', 'backward'].flatMap(name =>
    plan.programs[name].filter(d => {
      const at = plan.kernels[d.variants[0].kernel].bindings.findIndex(b => b.name === 'w');
      const frozenWeights = at >= 0 && plan.buffers[d.bindings[at].buffer].content?.kind === 'weights';
      return frozenWeights && flopsOf(d, symbols) > 0;
    }),
  );
  const run = async () => {
    let milliseconds = 0;
    for (const dispatch of products) {
      measure.fill(dispatch, symbols);
      const variant = executor.pipelines.runnable(dispatch).findLast(v => !v.hardware || !bench.software)!;
      milliseconds += await measure.once(dispatch, variant, symbols, 1);
    }
    return milliseconds;
  };
  return { run, flops: products.reduce((sum, d) => sum + flopsOf(d, symbols), 0) };
}

/** A LoRA step of the tiny base, ours and jax-js's, from the same weights, adapters and tokens. */
async function tiny(bench: Bench): Promise<Outcome> {
  const jax = await bench.peer('jax-js');
  if (typeof jax === 'string') return { tables: [], skipped: [jax] };
  const checkpoint = openCheckpoint(TINY);
  const folder = mkdtempSync(join(tmpdir(), 'mos-bench-'));
  try {
    const { shape } = checkpoint;
    const [batch, length] = [4, 64];
    const compiled = withoutGeometry(planOf(shape, { adapter: lora(16), batch, length }));
    const { plan } = compiled;
    const session = await bench.session(compiled, async (name, range) => checkpoint.readF32(name, range));
    const rows = tokenRows(batch, length, shape.vocabulary);
    const packed = samplesOf(rows);
    const [{ experts }] = plan.sites;
    await jax.ask({
      do: 'model',
      id: 'tiny',
      shape: peerShape(shape),
      scale: experts[0].scale,
      ...writeForPeer(folder, plan, checkpoint, initialParameters(plan, 0)),
      rows: batch,
      length,
      lr: plan.groups.find(g => g.name === 'adapter')!.lr,
    });
    const losses = { mos: [] as number[], jax: [] as number[] };
    let step = 0;
    const contenders = {
      mos: () =>
        clock(async () => {
          losses.mos.push((await session.step([packed], 1, step++, 0)).loss);
        }),
      jax: async () => {
        const { ms, loss } = await jax.ask<{ ms: number; loss: number }>({
          do: 'step',
          id: 'tiny',
          ids: rows,
        });
        losses.jax.push(loss);
        return ms;
      },
    };
    // kernels are compiled in the first step, and in the second of jax-js
    await interleave(contenders, 2);
    const times = await interleave(contenders, bench.samples(9));
    await jax.ask({ do: 'forget', id: 'tiny' });
    const apart = Math.max(...losses.mos.map((loss, i) => Math.abs(loss / losses.jax[i] - 1)));
    const faster = ratio(times.jax, times.mos);
    const table: Table = {
      title: `LoRA 16 on all linear layers of the tiny base, ${batch} × ${length} tokens; largest difference of a loss over ${losses.mos.length} steps: ${apart.toExponential(1)}`,
      head: ['', 'ms'],
      rows: [
        ['mos', show(spread(times.mos), 0)],
        [jax.about, show(spread(times.jax), 0)],
      ],
    };
    const target: Target = {
      name: 'time of jax-js / time of mos, LoRA step of the tiny base, same losses',
      wanted: '≥ 3',
      measured: show(faster),
      met: faster.median >= 3 && apart < 1e-3,
    };
    return { tables: [table], targets: [target] };
  } finally {
    checkpoint.close();
    rmSync(folder, { recursive: true });
  }
}

export const row: Row = {
  number: 4,
  title: 'Whole training steps',
  async run(bench): Promise<Outcome> {
    const outcome: Required<Outcome> = { tables: [], targets: [], skipped: [] };
    const sizes: [number, number][] = bench.software
      ? [[1, 64]]
      : [
          [1, 256],
          [4, 512],
          [8, 1024],
        ];
    for (const [batch, length] of sizes) {
      const { table, times, skipped, plans, titles, tokens, productFlops } = await large(
        bench,
        batch,
        length,
      );
      outcome.tables.push(table);
      outcome.skipped.push(...skipped);
      const mixed = times['mixture 3 × 8, top-2'];
      const cost = ratio(mixed, times['frozen base and gradients of its inputs']);
      outcome.targets.push({
        name: `mixture / frozen base and gradients of its inputs, ${batch} × ${length}`,
        wanted: '≤ 1.15',
        measured: show(cost),
        met: cost.median <= 1.15,
      });
      const { plan } = plans['mixture 3 × 8, top-2'];
      // rate of the step over rate of the products, turn by turn
      const work = necessary(plan, tokens) / productFlops;
      const share = ratio(times[ALONE], mixed);
      outcome.targets.push({
        name: 'rate of a whole step (frozen products and adapters) / rate of the products alone',
        wanted: '≥ 0.6',
        measured: show({
          ...share,
          median: work * share.median,
          low: work * share.low,
          high: work * share.high,
        }),
        met: work * share.median >= 0.6,
      });
      const least = { 256: 1, 512: 0.8, 1024: 0.4 }[length];
      for (const title of titles) {
        const faster = ratio(times[title], title.includes('peft') ? times['LoRA 24'] : mixed);
        const name = `time of ${title} / ours, ${batch} × ${length}`;
        outcome.targets.push({
          name,
          wanted: least === undefined ? 'none on a processor' : `≥ ${least}`,
          measured: show(faster),
          met: least === undefined ? undefined : faster.median >= least,
        });
      }
      bench.closeRow();
    }
    const more = await tiny(bench);
    outcome.tables.push(...more.tables);
    outcome.targets.push(...(more.targets ?? []));
    outcome.skipped.push(...(more.skipped ?? []));
    return outcome;
  },
};
