/** Reference base models: logits of every position, and the mean next-token loss. */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { compile } from '../../compiler/index.ts';
import { pack } from '../data/batches.ts';
import { openCheckpoint } from '../model/checkpoint.ts';
import { openSafetensors } from '../model/safetensors.ts';
import { EVALUATION, Session, symbolsOf, writeBatch } from '../runtime/session.ts';
import { openCase } from './open.ts';
import { bareProgram } from './program.ts';
import { Comparison, type Row, TOLERANCE } from './report.ts';

const GOLDEN = 'golden.safetensors';

export async function verifyModels(folder: string): Promise<Row[]> {
  const rows: Row[] = [];
  for (const name of readdirSync(folder).sort()) {
    if (existsSync(join(folder, name, GOLDEN))) rows.push(...(await verifyModel(name, join(folder, name))));
  }
  return rows;
}

async function verifyModel(name: string, folder: string): Promise<Row[]> {
  const checkpoint = openCheckpoint(folder);
  const golden = openSafetensors(join(folder, GOLDEN));
  try {
    const [batch, length] = golden.tensor('input_ids').shape;
    const ids = golden.readInts('input_ids');
    const { compiled } = compile(bareProgram(folder, [], { batch }, length), checkpoint.shape, {
      logits: true,
    });
    const { plan } = compiled!;
    const { opened, executor } = await openCase(compiled!, checkpoint.source());
    try {
      const samples = Array.from({ length: batch }, (_, r) => {
        const row = Int32Array.from(ids.slice(r * length, (r + 1) * length));
        return { ids: row, labels: row };
      });
      const packed = pack(samples);
      const session = new Session(executor);
      const loss = await session.validate([packed]);
      // every position is a target: the last one of a sequence predicts, though nothing follows it
      const everywhere = Uint32Array.from({ length: packed.tokens }, (_, t) => t);
      const all = { ...packed, targets: packed.tokens, targetIndex: everywhere, targetOf: everywhere };
      writeBatch(executor, all);
      await executor.run(['logits'], symbolsOf(all), EVALUATION);
      const { vocabulary } = checkpoint.shape;
      const ld = plan.generation!.columns;
      const logits = await executor.read('logits', batch * length * ld);
      const cropped = Float32Array.from(
        { length: batch * length * vocabulary },
        (_, i) => logits[Math.floor(i / vocabulary) * ld + (i % vocabulary)],
      );
      const comparison = new Comparison(name);
      comparison.check('logits', cropped, golden.readF64('logits'), TOLERANCE.value);
      comparison.check('loss', [loss], golden.readF64('loss'), TOLERANCE.trajectory);
      return comparison.rows;
    } finally {
      executor.close();
      opened.close();
    }
  } finally {
    golden.close();
    checkpoint.close();
  }
}
