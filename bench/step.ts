/**
 * What geometry costs: a training step of a mixture of three curved experts against plain LoRA of the same total rank,
 * on all seven linear layers, in interleaved pairs on one device. Random weights; the arithmetic does not care.
 *
 *   bun bench/step.ts [--hidden 512] [--layers 2] [--tokens 256] [--rank 8] [--pairs 15]
 *
 * The LoRA side has one flat expert, and every geometry and router dispatch (gains, gram, routing) is left out of its
 * programs, as an implementation that knows LoRA only would have it. Writes bench/results/step.json and step.md.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { compile } from '../compiler/index.ts';
import type { ModelShape } from '../compiler/plan/model.ts';
import type { Plan } from '../compiler/plan/schema.ts';
import { check } from '../dsl/index.ts';
import { pack } from '../src/data/batches.ts';
import { describe, openDevice } from '../src/gpu/device.ts';
import { applyInProcess } from '../src/host/environment.ts';
import { parseConfig } from '../src/model/config.ts';
import { Executor } from '../src/runtime/executor.ts';
import { initialParameters } from '../src/runtime/parameters.ts';
import { uniformStream } from '../src/runtime/random.ts';
import { Session } from '../src/runtime/session.ts';

const { values } = parseArgs({
  options: {
    hidden: { type: 'string', default: '512' },
    layers: { type: 'string', default: '2' },
    tokens: { type: 'string', default: '256' },
    rank: { type: 'string', default: '8' },
    pairs: { type: 'string', default: '15' },
  },
});
const [hidden, layers, tokens, rank, pairs] = [
  values.hidden,
  values.layers,
  values.tokens,
  values.rank,
  values.pairs,
].map(Number);
const VOCABULARY = 1024;
const GEOMETRY = /^(gains|gram|routing|radius)\./;

const shape: ModelShape = parseConfig({
  model_type: 'qwen2',
  hidden_size: hidden,
  intermediate_size: Math.round((hidden * 2.75) / 32) * 32,
  num_hidden_layers: layers,
  num_attention_heads: hidden / 64,
  num_key_value_heads: Math.max(1, hidden / 256),
  vocab_size: VOCABULARY,
  rms_norm_eps: 1e-6,
  max_position_embeddings: 2048,
  tie_word_embeddings: true,
  hidden_act: 'silu',
});

function planOf(adapter: string) {
  const { program } = check(
    'bench.mos',
    `model "m" < dtype: f32 > data "d" < length: ${tokens} > train < batch: 1 > adapter all-linear < ${adapter} >`,
  );
  const { compiled } = compile(program!, shape);
  return compiled!;
}

/** The plan without what only curved experts and routers need. */
function withoutGeometry(plan: Plan): Plan {
  const keep = (list: Plan['programs'][string]) =>
    list.filter(d => !GEOMETRY.test(plan.kernels[d.variants[0].kernel].name));
  return {
    ...plan,
    programs: Object.fromEntries(Object.entries(plan.programs).map(([name, list]) => [name, keep(list)])),
  };
}

await applyInProcess();
const opened = await openDevice({});
const random = uniformStream(1, 'weights');
const weights = async (name: string) => {
  const [rows, columns] = sizes.get(name)!;
  return Float32Array.from({ length: rows * columns }, (_, i) => (random(i) - 0.5) / Math.sqrt(columns));
};
const sizes = new Map<string, [number, number]>();

const mixture = (map: string) =>
  `rank: ${rank}; experts: hyperbolic(c=learn, map=${map}), sphere(c=learn, map=${map}), euclid; router: top2`;
const CONTENDERS = {
  lora: { ...planOf(`rank: ${3 * rank}; experts: euclid`), bare: true },
  stereo: { ...planOf(mixture('stereo')), bare: false },
  exp: { ...planOf(mixture('exp')), bare: false },
};
type Name = keyof typeof CONTENDERS;

const ids = Int32Array.from({ length: tokens }, (_, i) => Math.floor(random(i + 7) * VOCABULARY));
const batch = pack([{ ids, labels: ids }]);
const sessions = {} as Record<Name, Session>;
for (const [name, { plan, files, bare }] of Object.entries(CONTENDERS) as [
  Name,
  (typeof CONTENDERS)[Name],
][]) {
  for (const { content } of plan.buffers)
    if (content?.kind === 'weights') for (const p of content.parts) sizes.set(p.tensor, [p.rows, p.columns]);
  const executor = await Executor.open(bare ? withoutGeometry(plan) : plan, files, opened, weights);
  sessions[name] = new Session(executor);
  sessions[name].start(initialParameters(plan, 0));
  await sessions[name].step([batch], 1, 0, 0);
}

const times: Record<Name, number[]> = { lora: [], stereo: [], exp: [] };
for (let i = 0; i < pairs; i++) {
  for (const name of Object.keys(CONTENDERS) as Name[]) {
    const started = performance.now();
    await sessions[name].step([batch], 1, i + 1, 0);
    times[name].push(performance.now() - started);
  }
}

const median = (list: number[]) => list.toSorted((a, b) => a - b)[Math.floor(list.length / 2)];
const quantile = (list: number[], q: number) =>
  list.toSorted((a, b) => a - b)[Math.min(list.length - 1, Math.floor(q * list.length))];
const rows = (['stereo', 'exp'] as const).map(name => {
  const ratios = times[name].map((t, i) => t / times.lora[i]);
  return {
    name,
    ratio: median(ratios),
    low: quantile(ratios, 0.25),
    high: quantile(ratios, 0.75),
    ms: median(times[name]),
  };
});
const setting = `hidden ${hidden}, ${layers} layers, ${tokens} tokens, 3 experts of rank ${rank}, top-2, all seven linears, ${describe(opened.info)}`;
const text = [
  `Training step, mixture / LoRA of equal total rank; ${setting}. Median of ${pairs} interleaved pairs, quartiles. \`bun bench/step.ts\``,
  '',
  '| map | ratio | quartiles | ms | LoRA ms |',
  '| --- | --- | --- | --- | --- |',
  ...rows.map(
    r =>
      `| ${r.name} | ${r.ratio.toFixed(3)} | ${r.low.toFixed(3)} to ${r.high.toFixed(3)} | ${r.ms.toFixed(0)} | ${median(times.lora).toFixed(0)} |`,
  ),
].join('\n');
console.log(text);
const results = join(import.meta.dirname, 'results');
mkdirSync(results, { recursive: true });
writeFileSync(
  join(results, 'step.json'),
  `${JSON.stringify({ command: 'bun bench/step.ts', setting, rows, times }, null, 1)}\n`,
);
writeFileSync(join(results, 'step.md'), `${text}\n`);
process.exit(0);
