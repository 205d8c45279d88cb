/**
 * A model of real size goes through everything: random weights in the shape of Qwen2-1.5B, in shards on disk, are loaded,
 * quantised and uploaded, the program is compiled and trained for two steps. Time of each phase and memory, one process
 * per storage.
 *
 *   bun bench/full-size.ts [--dtypes f16,int8,nf4] [--layers 28] [--tokens 512] [--vocab 151936]
 *
 * Without a hardware GPU it is one layer and 16 tokens, at full width and with the whole vocabulary. The weights live in
 * a temporary folder. Writes bench/results/full-size.json and full-size.md.
 */
import { execFileSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { cpus, tmpdir, totalmem } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { compile } from '../compiler/index.ts';
import type { ModelShape } from '../compiler/plan/model.ts';
import { check } from '../dsl/index.ts';
import { pack } from '../src/data/batches.ts';
import { describe, openDevice } from '../src/gpu/device.ts';
import { expectedTensors, openCheckpoint } from '../src/model/checkpoint.ts';
import { parseConfig } from '../src/model/config.ts';
import { webgpuVersion } from '../src/run/checkpoint-state.ts';
import { Executor } from '../src/runtime/executor.ts';
import { initialParameters } from '../src/runtime/parameters.ts';
import { Session } from '../src/runtime/session.ts';

const LAYERS = 28;
const { values } = parseArgs({
  options: {
    dtypes: { type: 'string', default: 'f16,int8,nf4' },
    layers: { type: 'string' },
    tokens: { type: 'string' },
    vocab: { type: 'string', default: '151936' },
    /** Of a child: the folder with the weights. */
    folder: { type: 'string' },
  },
});

const config = (layers: number) => ({
  model_type: 'qwen2',
  hidden_size: 1536,
  intermediate_size: 8960,
  num_hidden_layers: layers,
  num_attention_heads: 12,
  num_key_value_heads: 2,
  vocab_size: Number(values.vocab),
  hidden_act: 'silu',
  rms_norm_eps: 1e-6,
  rope_theta: 1e6,
  max_position_embeddings: 131072,
  tie_word_embeddings: true,
});

function planFor(dtype: string, tokens: number, shape: ModelShape) {
  const { program } = check(
    'full-size.mos',
    `model "m" < dtype: ${dtype} > data "d" < length: ${tokens} > train < batch: 1 >
adapter "mlp.*_proj" < rank: 8; experts: hyperbolic(c=learn), sphere(c=learn), euclid; router: top2 >`,
  );
  return compile(program!, shape).compiled!;
}

interface Measured {
  dtype: string;
  /** Seconds by phase, in order. */
  seconds: Record<string, number>;
  loss: [number, number];
  /** Planned bytes of all GPU buffers of training, and most memory that the process held, which is where a software GPU is. */
  gpu: number;
  rss: number;
}

async function measure(dtype: string, folder: string, tokens: number): Promise<Measured> {
  const seconds: Record<string, number> = {};
  let last = performance.now();
  const lap = (phase: string) => {
    const now = performance.now();
    seconds[phase] = (now - last) / 1000;
    last = now;
  };
  const checkpoint = openCheckpoint(folder);
  lap('open checkpoint');
  const { plan, files } = planFor(dtype, tokens, checkpoint.shape);
  lap('compile');
  const opened = await openDevice({ limits: plan.requires.limits });
  lap('open device');
  const executor = await Executor.open(
    plan,
    files,
    opened,
    async (name, range) => checkpoint.readF32(name, range),
    { use: 'training' },
  );
  lap('load and quantise');
  const session = new Session(executor);
  session.start(initialParameters(plan, 0));
  const ids = Int32Array.from({ length: tokens }, (_, i) => (i * 7919) % Number(values.vocab));
  const batch = [pack([{ ids, labels: ids }])];
  const first = await session.step(batch, 1, 0, 0);
  lap('first step, with pipelines');
  const second = await session.step(batch, 1, 1, 0);
  lap('second step');
  const { bytes, peak } = plan.requires;
  const rss = process.resourceUsage().maxRSS * (process.platform === 'darwin' ? 1 : 1024);
  return { dtype, seconds, loss: [first.loss, second.loss], gpu: peak.training ?? bytes, rss };
}

/** A checkpoint in bf16 as large ones come: several files and an index. Uniform numbers with the variance of 0.02². */
function writeWeights(folder: string, layers: number): void {
  const json = (name: string, value: unknown) => writeFileSync(join(folder, name), JSON.stringify(value));
  json('config.json', config(layers));
  const tensors = [...expectedTensors(parseConfig(config(layers)))];
  const shards = Math.min(layers + 1, 4);
  const weightMap: Record<string, string> = {};
  let state = 1;
  for (let s = 0; s < shards; s++) {
    const file = `model-0000${s + 1}-of-0000${shards}.safetensors`;
    const mine = tensors.filter((_, i) => Math.floor((i * shards) / tensors.length) === s);
    const header: Record<string, unknown> = {};
    let at = 0;
    for (const [name, shape] of mine) {
      const end = at + 2 * shape.reduce((a, b) => a * b, 1);
      header[name] = { dtype: 'BF16', shape, data_offsets: [at, end] };
      weightMap[name] = file;
      at = end;
    }
    const text = JSON.stringify(header);
    const head = Buffer.alloc(8 + Math.ceil(text.length / 8) * 8, ' ');
    head.writeBigUInt64LE(BigInt(head.length - 8));
    head.write(text, 8);
    const handle = openSync(join(folder, file), 'w');
    writeSync(handle, head);
    for (const [name, shape] of mine) {
      let left = shape.reduce((a, b) => a * b, 1);
      while (left > 0) {
        const values = new Float32Array(Math.min(left, 2 ** 22));
        for (let i = 0; i < values.length; i++) {
          state ^= state << 13;
          state ^= state >>> 17;
          state ^= state << 5;
          values[i] = name.endsWith('norm.weight') ? 1 : state * (0.02 * Math.sqrt(3) * 2 ** -31);
        }
        // the upper half of an f32 is its bf16, rounded towards zero
        const words = new Uint16Array(values.buffer);
        for (let i = 0; i < values.length; i++) words[i] = words[2 * i + 1];
        writeSync(handle, new Uint8Array(words.buffer, 0, 2 * values.length));
        left -= values.length;
      }
    }
    closeSync(handle);
  }
  json('model.safetensors.index.json', { metadata: {}, weight_map: weightMap });
}

if (values.folder) {
  const measured = await measure(values.dtypes, values.folder, Number(values.tokens));
  process.stdout.write(`${JSON.stringify(measured)}\n`);
  process.exit(0);
}

const opened = await openDevice({});
const device = describe(opened.info);
const layers = Number(values.layers ?? (opened.software ? 1 : LAYERS));
const tokens = Number(values.tokens ?? (opened.software ? 16 : 512));
opened.close();
const folder = mkdtempSync(join(tmpdir(), 'mos-full-size-'));
const measured: Measured[] = [];
try {
  writeWeights(folder, layers);
  for (const dtype of values.dtypes.split(',')) {
    const args = ['--dtypes', dtype, '--folder', folder, '--tokens', String(tokens), '--vocab', values.vocab];
    const out = execFileSync(process.execPath, [import.meta.filename, ...args], {
      stdio: ['ignore', 'pipe', 'inherit'],
      encoding: 'utf8',
    });
    measured.push(JSON.parse(out.trim().split('\n').at(-1)!) as Measured);
  }
} finally {
  rmSync(folder, { recursive: true });
}

const whole = parseConfig(config(LAYERS));
const planned = ['f16', 'int8', 'nf4'].map(dtype => {
  const { requires } = planFor(dtype, 512, whole).plan;
  return { dtype, training: requires.peak.training, generation: requires.peak.generation };
});

const gib = (bytes: number) => (bytes / 2 ** 30).toFixed(2);
const phases = Object.keys(measured[0].seconds);
const setting = `${layers} of ${LAYERS} layers, hidden 1536, intermediate 8960, vocabulary ${values.vocab}, 1×${tokens} tokens, rank 8, three experts on all MLP linears`;
const machine = `${device}; ${cpus().length} × ${cpus()[0]?.model ?? 'processor'}, ${gib(totalmem())} GiB; Bun ${process.versions.bun ?? '-'}, webgpu ${webgpuVersion()}`;
const text = [
  `# Full-size shapes\n`,
  `Random weights in the shape of Qwen2-1.5B, bf16 in shards on disk: ${setting}. \`bun bench/full-size.ts\``,
  `on ${machine}. Seconds by phase; GPU: all buffers of training as planned; process: most`,
  'resident memory, in which a software GPU keeps its buffers, and Dawn copies of what is on its way to them. The machine',
  'did other work at the time, so the seconds are upper bounds; memory and losses do not depend on that.',
  '',
  `| dtype | ${phases.join(' | ')} | GPU GiB | process GiB | loss |`,
  `| --- |${' --- |'.repeat(phases.length + 3)}`,
  ...measured.map(
    m =>
      `| ${m.dtype} | ${phases.map(p => m.seconds[p].toFixed(2)).join(' | ')} | ${gib(m.gpu)} | ${gib(m.rss)} | ${m.loss.map(l => l.toFixed(3)).join(' → ')} |`,
  ),
  '',
  `Planned for the whole model, ${LAYERS} layers, 1×512 tokens, without running it:`,
  '',
  '| dtype | training GB | generation GB |',
  '| --- | --- | --- |',
  ...planned.map(
    p => `| ${p.dtype} | ${(p.training / 1e9).toFixed(2)} | ${(p.generation / 1e9).toFixed(2)} |`,
  ),
].join('\n');
console.log(text);
const results = join(import.meta.dirname, 'results');
writeFileSync(
  join(results, 'full-size.json'),
  `${JSON.stringify({ command: 'bun bench/full-size.ts', setting, machine, measured, planned }, null, 1)}\n`,
);
writeFileSync(join(results, 'full-size.md'), `${text}\n`);
process.exit(0);
