/**
 * Row 1: the frozen matrix products of a training step, in both directions, in every variant this device runs and with
 * weights in several storages, beside the same products of other libraries. Shapes are those of a plan, so they are the
 * ones a step has: stacked q, k and v, stacked gate and up.
 */
import type { Dispatch, Plan } from '../compiler/plan/schema.ts';
import { Measure, symbolsFor } from '../src/run/measure.ts';
import { frozen, ONE_LAYER, planOf, shapeOf, weightsOf } from './models.ts';
import type { Peer } from './peers.ts';
import type { Bench, Outcome, Row, Target } from './row.ts';
import { interleave, ratio, show, spread } from './timing.ts';

interface Product {
  /** As `x·Wᵀ 1536 → 2048`. */
  title: string;
  dispatch: Dispatch;
  rows: number;
  /** Of the weights, [out, in]. */
  out: number;
  in: number;
  transposed: boolean;
  flops: number;
}

const SAMPLE_MS = 50;

/** The frozen products of forward and backward, one of each shape. */
function productsOf(plan: Plan, rows: number): Product[] {
  const products = new Map<string, Product>();
  for (const program of ['forward', 'backward']) {
    for (const dispatch of plan.programs[program]) {
      const { bindings, name } = plan.kernels[dispatch.variants[0].kernel];
      const at = bindings.findIndex(b => b.name === 'w');
      const content = at < 0 ? undefined : plan.buffers[dispatch.bindings[at].buffer].content;
      if (content?.kind !== 'weights' || dispatch.flops.symbol !== 'tokens') continue;
      const out = content.parts.reduce((sum, p) => sum + p.rows, 0);
      const [{ columns }] = content.parts;
      const transposed = name.startsWith('linear.input_grad');
      const title = transposed ? `dy·W  ${out} → ${columns}` : `x·Wᵀ  ${columns} → ${out}`;
      const flops = 2 * rows * out * columns;
      products.set(title, { title, dispatch, rows, out, in: columns, transposed, flops });
    }
  }
  return [...products.values()];
}

type Contender = (product: Product) => Promise<number>;

/** One request that takes about as long as a sample. */
function ofPeer(peer: Peer, dtype: string): Contender {
  const repeats = new Map<Product, number>();
  return async product => {
    const { rows, in: size, out, transposed } = product;
    const ask = (repeat: number) =>
      peer.ask<{ ms: number }>({ do: 'gemm', rows, in: size, out, transposed, dtype, repeat });
    if (!repeats.has(product)) repeats.set(product, Math.max(1, Math.round(SAMPLE_MS / (await ask(1)).ms)));
    return (await ask(repeats.get(product)!)).ms;
  };
}

async function ours(bench: Bench, dtype: string, length: number) {
  const compiled = planOf(shapeOf(ONE_LAYER), frozen({ dtype, batch: 1, length }));
  const { plan } = compiled;
  const executor = await bench.executor(compiled, weightsOf(plan));
  const measure = new Measure(executor);
  const symbols = symbolsFor(plan, 'forward');
  const products = productsOf(plan, length);
  const runnable = (dispatch: Dispatch) =>
    executor.pipelines.runnable(dispatch).filter(v => !v.hardware || !bench.software);
  const contenders: Record<string, Contender> = {};
  const variants = [...runnable(products[0].dispatch).entries()];
  // by their place in the list: `mos f32`, `mos f32 _tiled (1)`, …; of other storages on a processor the fastest alone
  for (const [place, { kernel }] of dtype === 'f32' || !bench.software ? variants : variants.slice(-1)) {
    const suffix = plan.kernels[kernel].name.replace(/^linear\.(forward|input_grad)/, '');
    contenders[`mos ${dtype}${place > 0 ? ` ${suffix} (${place})` : ''}`] = async ({ dispatch }) => {
      const variants = runnable(dispatch);
      const variant = variants[place] ?? variants[0];
      measure.fill(dispatch, symbols);
      const once = await measure.once(dispatch, variant, symbols, 1);
      const times = Math.min(1000, Math.max(1, Math.round(SAMPLE_MS / once)));
      return times === 1 ? once : measure.once(dispatch, variant, symbols, times);
    };
  }
  return { products, contenders };
}

export const row: Row = {
  number: 1,
  title: 'Frozen matrix products of a step',
  async run(bench): Promise<Outcome> {
    const skipped: string[] = [];
    const tables: Outcome['tables'] = [];
    const targets: Target[] = [];
    const contenders: Record<string, Contender> = {};
    for (const [name, dtypes] of [
      ['jax-js', ['f32']],
      ['torch', bench.software ? ['f32'] : ['f32', 'f16', 'bf16']],
    ] as const) {
      const peer = await bench.peer(name);
      if (typeof peer === 'string') skipped.push(peer);
      else for (const dtype of dtypes) contenders[`${peer.about} ${dtype}`] = ofPeer(peer, dtype);
    }
    const dtypes = bench.quick
      ? ['f32']
      : bench.software
        ? ['f32', 'f16', 'int8', 'nf4']
        : ['f32', 'f16', 'bf16', 'int8', 'int4', 'nf4'];
    for (const length of bench.software ? [64] : [512, 2048, 8192]) {
      let products: Product[] = [];
      const all: Record<string, Contender> = {};
      for (const dtype of dtypes) {
        const mine = await ours(bench, dtype, length);
        if (dtype === 'f32') products = mine.products;
        for (const [name, run] of Object.entries(mine.contenders)) {
          // the same product in the plan of this storage
          all[name] = product => run(mine.products.find(p => p.title === product.title)!);
        }
      }
      Object.assign(all, contenders);
      const totals: Record<string, number[]> = {};
      const rows: (string | number)[][] = [];
      for (const product of products) {
        for (const run of Object.values(all)) await run(product);
        const times = await interleave(
          Object.fromEntries(Object.entries(all).map(([name, run]) => [name, () => run(product)])),
          bench.samples(5),
        );
        bench.note(`${product.title}, ${length} rows`);
        rows.push([
          product.title,
          ...Object.keys(all).map(name => (product.flops / spread(times[name]).median / 1e6).toPrecision(3)),
        ]);
        for (const [name, list] of Object.entries(times))
          totals[name] = list.map((t, i) => t + (totals[name]?.[i] ?? 0));
      }
      const flops = products.reduce((sum, p) => sum + p.flops, 0);
      rows.push([
        'all of them',
        ...Object.keys(all).map(n => (flops / spread(totals[n]).median / 1e6).toPrecision(3)),
      ]);
      tables.push({ title: `GFLOP/s, ${length} rows`, head: ['product', ...Object.keys(all)], rows });
      const jax = Object.keys(all).find(name => name.startsWith('jax-js'));
      const best = Object.keys(all)
        .filter(name => name.startsWith('mos f32'))
        .sort((a, b) => spread(totals[a]).median - spread(totals[b]).median)[0];
      if (jax && bench.software) {
        const faster = ratio(totals[jax], totals[best]);
        targets.push({
          name: `rate of ${best} / rate of jax-js, all products`,
          wanted: '≥ 2',
          measured: show(faster),
          met: faster.median >= 2,
        });
      }
    }
    return { tables, targets, skipped };
  },
};
