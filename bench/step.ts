/**
 * Row 5: what geometry costs. A training step of a mixture of three curved experts against LoRA of the same total rank, on
 * all seven linear layers; the same in PyTorch eager. LoRA is one flat expert whose programs lack every dispatch that only
 * geometry and routers need, as an implementation that knows nothing else would have it.
 */
import { pack } from '../src/data/batches.ts';
import {
  lora,
  mixture,
  peerShape,
  planOf,
  SMALL,
  shapeOf,
  tokenRows,
  weightsOf,
  withoutGeometry,
} from './models.ts';
import type { Outcome, Row } from './row.ts';
import { clock, interleave, ratio, show, spread } from './timing.ts';

const [RANK, PAIRS] = [8, 15];
const MAPS = ['stereo', 'exp'] as const;

export const row: Row = {
  number: 5,
  title: 'Mixture against LoRA of equal total rank',
  async run(bench): Promise<Outcome> {
    const shape = shapeOf(SMALL);
    const tokens = bench.quick ? 32 : 256;
    const work = { batch: 1, length: tokens };
    const rows = tokenRows(1, tokens, shape.vocabulary);
    const ids = Int32Array.from(rows[0]);
    const batch = pack([{ ids, labels: ids }]);
    const plans = {
      lora: withoutGeometry(planOf(shape, { ...work, adapter: lora(3 * RANK) })),
      stereo: planOf(shape, { ...work, adapter: mixture(RANK, 'stereo') }),
      exp: planOf(shape, { ...work, adapter: mixture(RANK, 'exp') }),
    };
    const contenders: Record<string, () => Promise<number | undefined>> = {};
    const opened = await bench.device(plans.stereo.plan);
    for (const [name, compiled] of Object.entries(plans)) {
      const session = await bench.session(compiled, weightsOf(compiled.plan), { opened });
      let step = 0;
      contenders[name] = () => clock(() => session.step([batch], 1, step++, 0));
      bench.note(`${name}: first step`);
      await contenders[name]();
    }
    const torch = await bench.peer('torch');
    const skipped: string[] = [];
    if (typeof torch === 'string') skipped.push(torch);
    else {
      for (const id of ['lora', ...MAPS]) {
        const expert = (space: string) => ({ space, map: id, rank: RANK, scale: 6 });
        const experts =
          id === 'lora'
            ? [{ space: 'euclid', rank: 3 * RANK, scale: 2 }]
            : [expert('hyperbolic'), expert('sphere'), expert('euclid')];
        const adapter = { top: Math.min(2, experts.length), aux: 0.01, experts };
        await torch.ask({ do: 'model', id, shape: peerShape(shape), adapter });
        const ask = async () => (await torch.ask<{ ms: number }>({ do: 'step', id, ids: rows })).ms;
        await ask();
        contenders[`torch ${id}`] = ask;
      }
    }
    const times = await interleave(contenders, bench.samples(PAIRS), done => bench.note(`round ${done}`));
    if (typeof torch !== 'string') for (const id of ['lora', ...MAPS]) await torch.ask({ do: 'forget', id });
    const all = MAPS.map(map => ({ map, cost: ratio(times[map], times.lora) }));
    return {
      tables: [
        {
          title: `Step of ${tokens} tokens; hidden ${shape.hidden}, ${shape.layers.length} layers, 3 experts of rank ${RANK}, top-2, all seven linears`,
          head: ['', 'mos ms', 'mixture / LoRA', 'PyTorch eager ms', 'mixture / LoRA'],
          rows: ['lora', ...MAPS].map(name => {
            const theirs = times[`torch ${name}`];
            const against = (list: number[], base: number[]) =>
              name === 'lora' ? '' : show(ratio(list, base));
            return [
              name,
              show(spread(times[name]), 0),
              against(times[name], times.lora),
              theirs ? show(spread(theirs), 0) : '',
              theirs ? against(theirs, times['torch lora']) : '',
            ];
          }),
        },
      ],
      targets: all.map(({ map, cost }) => ({
        name: `mixture (${map}) / LoRA of equal total rank, ${bench.samples(PAIRS)} interleaved pairs`,
        wanted: '≤ 1.05',
        measured: show(cost, 3),
        met: cost.median <= 1.05,
      })),
      skipped,
    };
  },
};
