/** An embedding and a head cut into pieces, as a small binding limit asks: the same logits, losses and gradients. */
import { expect, test } from 'bun:test';
import { compile, PORTABLE_BYTES } from '../../compiler/index.ts';
import { EVALUATION, symbolsOf, writeBatch } from '../../src/runtime/session.ts';
import { gpuTest, relativeError } from '../gpu/harness.ts';
import {
  batchOf,
  compileSmall,
  openSmall,
  programOf,
  type Rig,
  randomParameters,
  SMALL,
  type Text,
  VOCABULARY,
} from './small.ts';

/** Gradients of the adapter at the top are all that comes down from the head. */
const TOP: Text = { adapters: 'adapter down_proj layers 1 < rank: 4; experts: euclid >' };
const BATCH = batchOf(3, [17, 9, 1, 30]);
/** 16 rows of 32 floats: 61 rows are three pieces and a shorter one. */
const LIMIT = 16 * 32 * 4;

async function results({ executor, session, plan }: Rig) {
  session.start(randomParameters(plan, 5));
  writeBatch(executor, BATCH);
  await executor.run(['refresh', 'logits'], symbolsOf(BATCH), EVALUATION);
  const logits = await executor.read('logits', BATCH.targets * plan.generation!.columns);
  const { loss } = await session.step([BATCH], 0, 0, 0);
  const gradients = await executor.read('grads', plan.buffers.find(b => b.name === 'grads')!.bytes / 4);
  return { logits, loss, gradients };
}

gpuTest('split tables compute what whole ones do', async () => {
  const whole = await results(await openSmall(TOP, { logits: true }));
  for (const hardwareVariants of [false, true]) {
    const rig = await openSmall(TOP, { logits: true, bindingBytes: LIMIT }, { hardwareVariants });
    const pieces = rig.plan.buffers.filter(b => /^(embedding|head)\./.test(b.name));
    expect(pieces.map(b => b.bytes)).toEqual([LIMIT, LIMIT, LIMIT, LIMIT, LIMIT, LIMIT, LIMIT, LIMIT]);
    const split = await results(rig);
    // A logit is one sum wherever its row lies; gradients of the head's input are added in another order.
    if (!hardwareVariants) expect(split.logits).toEqual(whole.logits);
    expect(relativeError(split.logits, whole.logits)).toBeLessThan(1e-6);
    expect(Math.abs(split.loss - whole.loss)).toBeLessThan(1e-6);
    expect(relativeError(split.gradients, whole.gradients)).toBeLessThan(1e-5);
  }
});

test('pieces cover every row once, in whole blocks of eight', () => {
  const { plan } = compileSmall(TOP, { bindingBytes: LIMIT + 200 });
  const parts = plan.buffers.flatMap(b =>
    /^head\./.test(b.name) && b.content?.kind === 'weights' ? b.content.parts : [],
  );
  expect(parts.map(p => [p.from, p.rows])).toEqual([
    [0, 16],
    [16, 16],
    [32, 16],
    [48, VOCABULARY - 48],
  ]);
});

test('asked to be portable, the table of a large vocabulary fits a default binding', () => {
  const shape = { ...SMALL, vocabulary: 1_200_000 };
  const { plan } = compile(programOf(TOP), shape, { bindingBytes: PORTABLE_BYTES }).compiled!;
  const pieces = plan.buffers.filter(b => /^(embedding|head)\./.test(b.name));
  expect(pieces.length).toBe(4);
  expect(Math.max(...pieces.map(b => b.bytes))).toBeLessThanOrEqual(134_217_728);
});
