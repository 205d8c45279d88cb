/** Generation: cached and packed decoding against full forward passes, adapters switched by name and row, sampling. */

import { describe, expect, test } from 'bun:test';
import { pack } from '../../src/data/batches.ts';
import type { Executor } from '../../src/runtime/executor.ts';
import { generate, generationRows, type Sampling, sample } from '../../src/runtime/generate.ts';
import { EVALUATION, refresh, switchAdapters, symbolsOf, writeBatch } from '../../src/runtime/session.ts';
import { gpuTest, relativeError } from '../gpu/harness.ts';
import { generator } from '../kernels/numbers.ts';
import { openSmall, PLAIN, randomParameters, sequences, VOCABULARY } from './small.ts';

const open = () => openSmall(PLAIN, { logits: true });
const PROMPTS = sequences(21, [5, 1, 12, 3]).map(s => s.ids);
const COUNT = 6;
const greedy = (
  executor: Executor,
  prompts: readonly ArrayLike<number>[],
  maxTokens = COUNT,
  eos: number[] = [],
) => generate(executor, prompts, { maxTokens, eos });

/** Logits after the whole of each sequence, by one full forward pass over all of them. */
async function lastLogits(executor: Executor, rows: ArrayLike<number>[]): Promise<Float32Array[]> {
  const packed = pack(rows.map(ids => ({ ids: Int32Array.from(ids), labels: Int32Array.from(ids) })));
  const ends = rows.map((_, r) => packed.row.lastIndexOf(r));
  const batch = { ...packed, targets: rows.length, targetIndex: Uint32Array.from(ends) };
  writeBatch(executor, batch);
  await executor.run(['logits'], symbolsOf(batch), EVALUATION);
  const { columns } = executor.plan.generation!;
  const logits = await executor.read('logits', rows.length * columns);
  return rows.map((_, r) => logits.slice(r * columns, r * columns + VOCABULARY));
}

/** Greedy continuation without a cache: a full pass for every token. */
async function plainly(executor: Executor, prompts: readonly ArrayLike<number>[]): Promise<number[][]> {
  const rows = prompts.map(p => Array.from(p));
  for (let i = 0; i < COUNT; i++) {
    const logits = await lastLogits(executor, rows);
    for (const [r, row] of rows.entries()) row.push(logits[r].indexOf(Math.max(...logits[r])));
  }
  return rows.map((row, r) => row.slice(prompts[r].length));
}

async function ready(names: string[]): Promise<Executor> {
  const { plan, executor } = await open();
  executor.write('params', randomParameters(plan, 8));
  switchAdapters(executor, new Set(names));
  await refresh(executor);
  return executor;
}

describe('greedy generation', () => {
  gpuTest('with a cache, in a batch of different lengths, equals full passes token by token', async () => {
    const executor = await ready(['default', 'math']);
    const together = await greedy(executor, PROMPTS);
    expect(together).toEqual(await plainly(executor, PROMPTS));
    expect(new Set(together.flat()).size).toBeGreaterThan(5);
    // and what one row says does not depend on the others
    for (const [i, prompt] of PROMPTS.entries())
      expect(await greedy(executor, [prompt])).toEqual([together[i]]);
  });

  gpuTest('a row that ends leaves the others as they are', async () => {
    const executor = await ready(['default']);
    const free = await greedy(executor, PROMPTS);
    const eos = free[0][2];
    const ended = await greedy(executor, PROMPTS, COUNT, [eos]);
    const cut = (row: number[]) => (row.includes(eos) ? row.slice(0, row.indexOf(eos)) : row);
    expect(ended).toEqual(free.map(cut));
    expect(ended[0].length).toBeLessThan(3);
    expect(ended.some(row => row.length === COUNT)).toBe(true);
  });

  gpuTest('limits', async () => {
    const executor = await ready([]);
    const { context } = executor.plan;
    expect(generationRows(executor)).toBe(8);
    const full = new Array<number>(context - COUNT).fill(3);
    expect((await greedy(executor, [full]))[0]).toHaveLength(COUNT);
    expect(greedy(executor, [[...full, 3]])).rejects.toThrow('prompt-too-long');
    expect(greedy(executor, new Array(9).fill([1]))).rejects.toThrow('bug');
    expect(await greedy(executor, [])).toEqual([]);
    expect(await greedy(executor, [[1], [2]], 0)).toEqual([[], []]);
  });
});

describe('adapters', () => {
  gpuTest('switch on and off by name without compiling anything', async () => {
    const { plan } = await open();
    const all = await ready(plan.slots);
    const { buffers } = all.counters;
    const outputs = new Map<string, Float32Array[]>();
    for (const names of [[], ['default'], ['math'], ['default', 'math']]) {
      outputs.set(
        names.join('+'),
        await lastLogits(
          await ready(names),
          PROMPTS.map(p => [...p]),
        ),
      );
    }
    const bare = await openSmall({ adapters: '' }, { logits: true });
    await refresh(bare.executor);
    const base = await lastLogits(
      bare.executor,
      PROMPTS.map(p => [...p]),
    );
    const off = outputs.get('')!;
    for (const [r, row] of off.entries()) expect(relativeError(row, base[r])).toBeLessThan(1e-6);
    const names = [...outputs.keys()];
    for (const a of names)
      for (const b of names)
        if (a !== b) expect(relativeError(outputs.get(a)![0], outputs.get(b)![0])).toBeGreaterThan(1e-2);
    expect(all.counters.buffers).toBe(buffers);
  });

  gpuTest('switch per row: each row of a batch has its own', async () => {
    const { plan } = await open();
    const { rows } = plan.symbols;
    const prompts = [PROMPTS[0], PROMPTS[0], PROMPTS[2]];
    const [first, second, both] = [
      await greedy(await ready(['default']), prompts),
      await greedy(await ready(['math']), prompts),
      await greedy(await ready(['default', 'math']), prompts),
    ];
    const executor = await ready([]);
    const scale = new Float32Array(plan.slots.length * rows);
    const on = (slot: string, row: number) => {
      scale[plan.slots.indexOf(slot) * rows + row] = 1;
    };
    on('default', 0);
    on('math', 1);
    on('default', 2);
    on('math', 2);
    executor.write('slot_scale', scale);
    expect(await greedy(executor, prompts)).toEqual([first[0], second[1], both[2]]);
    expect(first[0]).not.toEqual(second[1]);
  });
});

describe('sample', () => {
  const logits = [1, 3, 0, 2, 2.5, -4];
  const options = (o: Partial<Sampling>): Sampling => ({ temperature: 1, topK: 0, topP: 1, seed: 0, ...o });
  /** How often each token is drawn, over an even grid of random numbers. */
  const shares = (o: Partial<Sampling>, of: ArrayLike<number> = logits) => {
    const counts = new Array<number>(of.length).fill(0);
    for (let i = 0; i < 20_000; i++) counts[sample(of, options(o), (i + 0.5) / 20_000)] += 1 / 20_000;
    return counts;
  };
  const softmax = (values: number[]) => {
    const e = values.map(v => Math.exp(v));
    return e.map(v => v / e.reduce((a, b) => a + b, 0));
  };
  const expectShares = (found: number[], wanted: number[]) => {
    for (const [i, share] of found.entries()) expect(Math.abs(share - wanted[i])).toBeLessThan(2e-4);
  };

  test('draws from the softmax, at any temperature', () => {
    expectShares(shares({}), softmax(logits));
    expectShares(shares({ temperature: 0.5 }), softmax(logits.map(l => 2 * l)));
    expectShares(shares({ temperature: 3 }), softmax(logits.map(l => l / 3)));
    // huge and tiny logits neither overflow nor vanish
    expect(shares({}, [1e4, 1e4, -1e4])).toEqual([expect.closeTo(0.5, 3), expect.closeTo(0.5, 3), 0]);
  });

  test('top-k keeps the k largest, ties by index', () => {
    expectShares(shares({ topK: 2 }), [0, ...softmax([3, 2.5]).slice(0, 1), 0, 0, softmax([3, 2.5])[1], 0]);
    expect(shares({ topK: 1 })).toEqual([0, expect.closeTo(1, 9), 0, 0, 0, 0]);
    expect(sample([5, 5, 5], options({ topK: 1 }), 0.99)).toBe(0);
    expectShares(shares({ topK: 99 }), softmax(logits));
  });

  test('top-p keeps the fewest that reach p, and always one', () => {
    const p = softmax(logits);
    // 0.45 and 0.27 are the two largest
    const two = [0, p[1] / (p[1] + p[4]), 0, 0, p[4] / (p[1] + p[4]), 0];
    expectShares(shares({ topP: p[1] + 0.01 }), two);
    expectShares(shares({ topP: p[1] + p[4] - 1e-6 }), two);
    expect(shares({ topP: 1e-9 })[1]).toBeCloseTo(1, 9);
    // after top-k, p is of what is left
    expectShares(shares({ topK: 2, topP: 0.5 }), [0, 1, 0, 0, 0, 0]);
  });

  test('whatever the numbers, a token that may be drawn is drawn', () => {
    const random = generator(2);
    for (let i = 0; i < 300; i++) {
      const values = Array.from({ length: 1 + Math.floor(random() * 40) }, () => 20 * random() - 10);
      const topK = Math.floor(random() * 6);
      const token = sample(
        values,
        options({ temperature: 0.1 + 3 * random(), topK, topP: 0.05 + 0.95 * random() }),
        random(),
      );
      expect(token).toBeGreaterThanOrEqual(0);
      const larger = values.filter(v => v > values[token]).length;
      expect(larger).toBeLessThan(topK || values.length);
    }
  });
});
