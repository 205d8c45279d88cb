/**
 * Row 8: fifty steps beside PyTorch in f32, from the same weights, adapters and tokens: losses, gradient norms, the
 * gradients of the first step, and where the parameters end. PyTorch works on d-dimensional vectors with autograd, mos in
 * rank space with derived adjoints, so that hardly a mistake could be common to both.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pack } from '../src/data/batches.ts';
import { openCheckpoint } from '../src/model/checkpoint.ts';
import { openTokenizer } from '../src/model/open-tokenizer.ts';
import { openSafetensors } from '../src/model/safetensors.ts';
import { extract, initialParameters } from '../src/runtime/parameters.ts';
import { mixture, peerShape, planOf } from './models.ts';
import type { Bench, Outcome, Row } from './row.ts';
import { writeForPeer } from './tensors.ts';

const STEPS = 50;
const [BATCH, LENGTH, RANK] = [2, 24, 4];
/** Batches that are seen again and again, so that there is something to learn. */
const BATCHES = 5;
const EXAMPLES = join(import.meta.dirname, '..', 'examples');
const TINY = join(EXAMPLES, 'models', 'tiny-qwen2');

/** Text that the base was made for. */
function textRows(vocabulary: number): number[][] {
  const tokenizer = openTokenizer(TINY, vocabulary);
  const text = readFileSync(join(EXAMPLES, 'tasks', 'tree.train.jsonl'), 'utf8')
    .split('\n', BATCH * BATCHES * LENGTH)
    .filter(line => line)
    .map(line => JSON.parse(line) as { instruction: string; output: string })
    .map(({ instruction, output }) => `${instruction} ${output}`)
    .join('\n');
  const ids = [...tokenizer.encode(text)];
  return Array.from({ length: BATCH * BATCHES }, (_, row) => ids.slice(row * LENGTH, (row + 1) * LENGTH));
}

interface Step {
  loss: number;
  norm: number;
  balance: number;
}

async function compare(bench: Bench, map: 'stereo' | 'exp', folder: string) {
  const torch = await bench.peer('torch');
  if (typeof torch === 'string') throw new Error(torch);
  const checkpoint = openCheckpoint(TINY);
  try {
    const { shape } = checkpoint;
    const compiled = planOf(shape, { adapter: mixture(RANK, map), batch: BATCH, length: LENGTH });
    const { plan } = compiled;
    // Smaller steps than a run's: where losses and norms jump, rounding alone makes any two runs part.
    for (const group of plan.groups) group.lr /= 5;
    const session = await bench.session(compiled, async (name, range) => checkpoint.readF32(name, range));
    const flat = initialParameters(plan, 0);
    session.start(flat);
    const groups = plan.groups.map((group, i) => ({
      ...group,
      names: group.kind === 'frozen' ? [] : plan.parameters.filter(p => p.group === i).map(p => p.name),
    }));
    const [{ experts, topK, aux }] = plan.sites;
    await torch.ask({
      do: 'model',
      id: 'agreement',
      shape: peerShape(shape),
      adapter: { top: topK, aux, experts },
      ...writeForPeer(folder, plan, checkpoint, flat),
      groups,
    });
    const text = textRows(shape.vocabulary);
    const largest = { loss: 0, norm: 0, balance: 0, gradient: 0 };
    const apart = (a: number, b: number) => Math.abs(a - b) / Math.max(Math.abs(b), 1e-6);
    let last = 0;
    for (let step = 0; step < (bench.quick ? 5 : STEPS); step++) {
      const first = (step % BATCHES) * BATCH;
      const rows = text.slice(first, first + BATCH);
      const ids = rows.map(row => Int32Array.from(row));
      const mine = await session.step([pack(ids.map(row => ({ ids: row, labels: row })))], 1, step, 0);
      const gradients = join(folder, 'gradients.safetensors');
      const request = { do: 'step', id: 'agreement', ids: rows, ...(step === 0 ? { gradients } : {}) };
      const theirs = await torch.ask<Step>(request);
      for (const what of ['loss', 'norm', 'balance'] as const)
        largest[what] = Math.max(largest[what], apart(mine[what], theirs[what]));
      last = mine.loss;
      if (step > 0) continue;
      const file = openSafetensors(gradients);
      const ours = await session.executor.read('grads', flat.length);
      for (const p of plan.parameters) {
        const wanted = file.readF32(p.name);
        const got = extract(ours, p);
        const norm = Math.hypot(...wanted);
        const difference = Math.hypot(...wanted.map((w, i) => w - got[i]));
        if (norm > 0) largest.gradient = Math.max(largest.gradient, difference / norm);
      }
      file.close();
    }
    await torch.ask({ do: 'forget', id: 'agreement' });
    return { largest, last };
  } finally {
    checkpoint.close();
  }
}

export const row: Row = {
  number: 8,
  title: 'Agreement with PyTorch in f32',
  async run(bench): Promise<Outcome> {
    const torch = await bench.peer('torch');
    if (typeof torch === 'string') return { tables: [], skipped: [torch] };
    const folder = mkdtempSync(join(tmpdir(), 'mos-bench-'));
    try {
      const rows: string[][] = [];
      let met = true;
      for (const map of ['stereo', 'exp'] as const) {
        const { largest, last } = await compare(bench, map, folder);
        const show = (x: number) => x.toExponential(1);
        rows.push([
          map,
          ...[largest.loss, largest.norm, largest.balance, largest.gradient].map(show),
          last.toFixed(4),
        ]);
        met &&= largest.loss <= 1e-3;
        bench.note(`${map} done`);
      }
      return {
        tables: [
          {
            title: `Largest relative difference over ${bench.quick ? 5 : STEPS} steps; tiny base, 3 experts of rank ${RANK}, top-2, all seven linears`,
            head: [
              'map',
              'loss',
              'gradient norm',
              'balance loss',
              'gradient of a tensor, first step',
              'last loss',
            ],
            rows,
          },
        ],
        targets: [
          {
            name: 'largest difference of a loss',
            wanted: '≤ 1e-3',
            measured: rows.map(r => r[1]).join(', '),
            met,
          },
        ],
      };
    } finally {
      rmSync(folder, { recursive: true });
    }
  },
};
