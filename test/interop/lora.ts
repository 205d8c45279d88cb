/** The training of lora.py, done here: losses, norms, weights; and the export that peft will read. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { compile } from '../../compiler/index.ts';
import { pack } from '../../src/data/batches.ts';
import { openDevice } from '../../src/gpu/device.ts';
import { openCheckpoint } from '../../src/model/checkpoint.ts';
import { type TensorData, writeSafetensors } from '../../src/model/safetensors.ts';
import { exportPeft, importPeft } from '../../src/run/peft-file.ts';
import { Executor } from '../../src/runtime/executor.ts';
import { scheduleFactor } from '../../src/runtime/schedule.ts';
import { EVALUATION, Session, symbolsOf, writeBatch } from '../../src/runtime/session.ts';
import { adapterBlock, bareProgram, expertOf } from '../../src/verify/program.ts';
import type { Report } from './report.ts';

interface Written {
  model: string;
  targets: string[];
  settings: Record<
    | 'rank'
    | 'alpha'
    | 'steps'
    | 'lr'
    | 'warmup'
    | 'floor'
    | 'beta1'
    | 'beta2'
    | 'eps'
    | 'weight_decay'
    | 'clip',
    number
  >;
  batches: { ids: number[]; masked: number }[][];
  losses: number[];
  norms: number[];
}

/** Of losses and norms, each relative to its own size; of what training moved, as one vector. */
const LOSS = 1e-5;
const NORM = 1e-4;
const MOVED = 1e-4;

export async function compareLora(folder: string, report: Report): Promise<void> {
  const { model, targets, settings, batches, losses, norms } = JSON.parse(
    readFileSync(join(folder, 'lora.json'), 'utf8'),
  ) as Written;
  const { rank, alpha, steps, lr, warmup, floor, beta1, beta2, eps, weight_decay, clip } = settings;
  const home = join(folder, 'models', model);
  const checkpoint = openCheckpoint(home);
  const blocks = targets.map(target =>
    adapterBlock({ target, rank, alpha, experts: [expertOf({ space: 'euclid' }, rank)] }),
  );
  const train = {
    steps,
    batch: Math.max(...batches.map(b => b.length)),
    lr,
    clip,
    schedule: { kind: 'cosine', warmup: warmup / steps, floor },
    optimizer: { kind: 'adamw', beta1, beta2, eps, weightDecay: weight_decay },
  } as const;
  const longest = Math.max(...batches.flat().map(row => row.ids.length));
  const { plan, files } = compile(bareProgram(home, blocks, train, longest), checkpoint.shape, {
    logits: true,
  }).compiled!;
  const opened = await openDevice({ limits: plan.requires.limits });
  const executor = await Executor.open(plan, files, opened, checkpoint.source());
  const session = new Session(executor);
  const initial = importPeft(join(folder, 'lora', 'initial'), plan);
  session.start(initial);
  const packed = batches.map(batch =>
    pack(
      batch.map(({ ids, masked }) => ({
        ids: Int32Array.from(ids),
        labels: Int32Array.from(ids, (id, t) => (t < masked ? -100 : id)),
      })),
    ),
  );
  let [loss, norm] = [0, 0];
  for (const [step, batch] of packed.entries()) {
    const result = await session.step([batch], scheduleFactor(plan.training!, step), step, 0);
    loss = Math.max(loss, Math.abs(result.loss / losses[step] - 1));
    norm = Math.max(norm, Math.abs(result.norm / norms[step] - 1));
  }
  report.below(
    `peft: losses of ${steps} steps, from ${losses[0].toFixed(3)} to ${losses.at(-1)!.toFixed(3)}`,
    loss,
    LOSS,
  );
  report.below(`peft: gradient norms of ${steps} steps`, norm, NORM);

  const ours = await session.parameters();
  const theirs = importPeft(join(folder, 'lora', 'final'), plan);
  const distance = (a: Float32Array, b: Float32Array) => Math.hypot(...a.map((v, i) => v - b[i]));
  report.below('peft: weights after training', distance(ours, theirs) / distance(theirs, initial), MOVED);

  exportPeft(join(folder, 'lora', 'ours'), plan, ours, home);
  const [first] = packed;
  const everywhere = Uint32Array.from({ length: first.tokens }, (_, t) => t);
  const all = { ...first, targets: first.tokens, targetIndex: everywhere, targetOf: everywhere };
  writeBatch(executor, all);
  await executor.run(['refresh', 'logits'], symbolsOf(all), EVALUATION);
  const { columns } = plan.generation!;
  const { vocabulary } = plan.model!;
  const padded = await executor.read('logits', first.tokens * columns);
  const data = new Float32Array(first.tokens * vocabulary);
  for (let t = 0; t < first.tokens; t++)
    data.set(padded.subarray(t * columns, t * columns + vocabulary), t * vocabulary);
  const logits: TensorData = { dtype: 'F32', shape: [first.tokens, vocabulary], data };
  writeSafetensors(join(folder, 'lora', 'logits.safetensors'), new Map([['logits', logits]]));
  executor.close();
  checkpoint.close();
}
