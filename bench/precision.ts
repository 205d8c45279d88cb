/**
 * What storing the frozen weights in fewer bits costs: `bun bench/precision.ts`. The reference training over the numbers
 * that each storage stands for, in f32 (that the kernels compute the same is test/run/storage.test.ts), beside the
 * checkpoint's own.
 */
import { compile } from '../compiler/index.ts';
import { rowWords, STORAGES, type Storage, storagesFor } from '../compiler/plan/storage.ts';
import { openDevice } from '../src/gpu/device.ts';
import { Executor } from '../src/runtime/executor.ts';
import { packRows, unpackRows } from '../src/runtime/pack-weights.ts';
import { EVALUATION, Session, symbolsOf, writeBatch } from '../src/runtime/session.ts';
import { openTrajectory } from '../src/verify/trajectory.ts';

const { program, checkpoint, steps, batch, start } = openTrajectory('test/golden/train', 'examples/models');
const f32 = { ...program, model: { ...program.model, dtype: 'f32' as const } };
const { plan, files } = compile(f32, checkpoint.shape, { logits: true }).compiled!;
const opened = await openDevice({ limits: plan.requires.limits });
const executor = await Executor.open(plan, files, opened, checkpoint.source());

/** Writes the weights as a storage has them; gives its relative error and its bits per weight over all matrices. */
function load(dtype: Storage): { error: number; bits: number } {
  const { linear, table } = storagesFor(dtype, undefined);
  let [difference, norm, words, count] = [0, 0, 0, 0];
  for (const { name, content } of plan.buffers) {
    if (content?.kind !== 'weights') continue;
    for (const { tensor, offset, rows, columns, ld } of content.parts) {
      const [, width] = checkpoint.tensor(tensor).shape;
      if (width === undefined) continue;
      const storage = tensor === checkpoint.shape.embedding ? table : linear;
      const values = checkpoint.readF32(tensor);
      const stored = unpackRows(storage, packRows(storage, values, columns, ld), columns, ld);
      executor.write(name, stored, offset);
      words += rows * rowWords(storage, ld);
      count += values.length;
      values.forEach((v, i) => {
        difference += (stored[i] - v) ** 2;
        norm += v ** 2;
      });
    }
  }
  return { error: Math.sqrt(difference / norm), bits: (32 * words) / count };
}

async function logits(session: Session): Promise<Float32Array> {
  session.start(start(plan));
  const first = batch(0);
  writeBatch(executor, first);
  await executor.run(['refresh', 'logits'], symbolsOf(first), EVALUATION);
  return executor.read('logits', first.targets * Math.ceil(checkpoint.shape.vocabulary / 8) * 8);
}

async function losses(session: Session): Promise<number[]> {
  session.start(start(plan));
  const all: number[] = [];
  for (let step = 0; step < steps; step++) all.push((await session.step([batch(step)], 1, step, 0)).loss);
  return all;
}

let reference: { logits: Float32Array; losses: number[] } | undefined;
console.log(
  '| dtype | bits per weight | weights | logits | first loss | last loss | largest gap of a loss |',
);
console.log('| --- | --- | --- | --- | --- | --- | --- |');
for (const dtype of STORAGES) {
  const { error, bits } = load(dtype);
  const session = new Session(executor);
  const mine = { logits: await logits(session), losses: await losses(session) };
  reference ??= mine;
  const { logits: wanted, losses: original } = reference;
  const squares = (f: (i: number) => number) => mine.logits.reduce((sum, _, i) => sum + f(i) ** 2, 0);
  const apart = Math.sqrt(squares(i => mine.logits[i] - wanted[i]) / squares(i => wanted[i]));
  const gap = Math.max(...mine.losses.map((loss, i) => Math.abs(loss - original[i])));
  const show = (x: number) => (x === 0 ? '0' : x.toExponential(1));
  console.log(
    `| ${dtype} | ${bits.toFixed(2)} | ${show(error)} | ${show(apart)} | ${mine.losses[0].toFixed(4)} | ` +
      `${mine.losses.at(-1)!.toFixed(4)} | ${show(gap)} |`,
  );
}
process.exit(0);
