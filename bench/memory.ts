/**
 * Row 6: peak memory. Ours by the ledger of the plan's buffers and by what the device says: on NVIDIA the driver, on a
 * processor the memory of this process, which the device lives in. PyTorch as it counts itself.
 */
import { spawnSync } from 'node:child_process';
import { pack } from '../src/data/batches.ts';
import { bytesText } from '../src/report/units.ts';
import { mixture, ONE_LAYER, peerShape, planOf, QWEN_1_5B, shapeOf, tokenRows, weightsOf } from './models.ts';
import type { Outcome, Row } from './row.ts';

/** Bytes in use by this process on its device; undefined where nobody says. */
function counter(software: boolean): number | undefined {
  if (software) return process.memoryUsage.rss();
  const query = ['--query-compute-apps=pid,used_memory', '--format=csv,noheader,nounits'];
  const { stdout } = spawnSync('nvidia-smi', query, { encoding: 'utf8' });
  const line = stdout?.split('\n').find(text => Number(text.split(',')[0]) === process.pid);
  return line === undefined ? undefined : Number(line.split(',')[1]) * 2 ** 20;
}

export const row: Row = {
  number: 6,
  title: 'Memory of a training step',
  async run(bench): Promise<Outcome> {
    const [size, batch, length] = bench.software ? [ONE_LAYER, 1, 64] : [QWEN_1_5B, 4, 512];
    const shape = shapeOf(size);
    const compiled = planOf(shape, { adapter: mixture(8, 'stereo'), batch, length });
    const tokens = tokenRows(batch, length, shape.vocabulary);
    const opened = await bench.device(compiled.plan);
    const before = counter(bench.software);
    const session = await bench.session(compiled, weightsOf(compiled.plan), { opened });
    const ids = tokens.map(row => Int32Array.from(row));
    const packed = pack(ids.map(row => ({ ids: row, labels: row })));
    for (let step = 0; step < 2; step++) await session.step([packed], 1, step, 0);
    const after = counter(bench.software);
    const { training } = compiled.plan.requires.peak;
    const rows: string[][] = [['mos, ledger: buffers of the plan', bytesText(training)]];
    const skipped: string[] = [];
    const measured = before === undefined || after === undefined ? undefined : after - before;
    if (measured === undefined)
      skipped.push('bytes on the device: no driver says how much this process uses');
    else
      rows.push([
        bench.software ? 'mos, growth of the process, kernels included' : 'mos, driver',
        bytesText(measured),
      ]);
    const torch = await bench.peer('torch');
    if (typeof torch === 'string') skipped.push(torch);
    else if (bench.software) skipped.push('PyTorch: it counts memory of a GPU only');
    else {
      const expert = (space: string) => ({ space, map: 'stereo', rank: 8, scale: 6 });
      const adapter = { top: 2, aux: 0.01, experts: ['hyperbolic', 'sphere', 'euclid'].map(expert) };
      await torch.ask({ do: 'forget', id: '' });
      await torch.ask({ do: 'model', id: 'memory', shape: peerShape(shape), adapter });
      for (let i = 0; i < 2; i++) await torch.ask({ do: 'step', id: 'memory', ids: tokens });
      const { allocated, reserved } = await torch.ask<{ allocated: number; reserved: number }>({
        do: 'memory',
      });
      await torch.ask({ do: 'forget', id: 'memory' });
      rows.push(
        ['PyTorch eager, allocated', bytesText(allocated)],
        ['PyTorch eager, reserved', bytesText(reserved)],
      );
    }
    const title = `Mixture 3 × 8 on ${shape.layers.length} layers of 1.5 B shapes, ${batch} × ${length} tokens, f32`;
    return { tables: [{ title, head: ['', 'bytes'], rows }], skipped };
  },
};
