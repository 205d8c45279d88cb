/** Packing, order and split: properties over random inputs. */
import { describe, expect, test } from 'bun:test';
import fc from 'fast-check';
import { batchesInOrder, batchStream, NO_TARGET, pack } from '../../src/data/batches.ts';
import { countTargets, IGNORED, type Sample } from '../../src/data/labels.ts';
import { permutation, split } from '../../src/data/shuffle.ts';

const sample = (ids: number[], masked: boolean[]): Sample => ({
  ids: Int32Array.from(ids),
  labels: Int32Array.from(ids, (id, i) => (masked[i] ? IGNORED : id)),
  truncated: false,
  mergedBoundaries: 0,
});

const samples = fc.array(
  fc.array(fc.tuple(fc.nat(1000), fc.boolean()), { minLength: 1, maxLength: 9 }).map(pairs =>
    sample(
      pairs.map(p => p[0]),
      pairs.map(p => p[1]),
    ),
  ),
  { minLength: 1, maxLength: 6 },
);

describe('packing', () => {
  test('an example', () => {
    const batch = pack([sample([5, 6, 7], [true, true, false]), sample([8, 9], [false, false])]);
    expect(batch).toEqual({
      tokens: 5,
      targets: 2,
      rows: 2,
      ids: Uint32Array.of(5, 6, 7, 8, 9),
      position: Uint32Array.of(0, 1, 2, 0, 1),
      row: Uint32Array.of(0, 0, 0, 1, 1),
      keys: Uint32Array.of(0, 1, 0, 2, 0, 3, 3, 4, 3, 5),
      queries: Uint32Array.of(0, 3, 1, 3, 2, 3, 3, 5, 4, 5),
      targetIndex: Uint32Array.of(1, 3),
      labels: Uint32Array.of(7, 9),
      targetOf: Uint32Array.of(NO_TARGET, 0, NO_TARGET, 1, NO_TARGET),
    });
  });

  test('invariants', () => {
    fc.assert(
      fc.property(samples, list => {
        const batch = pack(list);
        const { tokens } = batch;
        expect(tokens).toBe(list.reduce((sum, s) => sum + s.ids.length, 0));
        expect([...batch.ids]).toEqual(list.flatMap(s => [...s.ids]));
        expect(batch.targets).toBe(list.reduce((sum, s) => sum + countTargets(s.labels), 0));
        for (let t = 0; t < tokens; t++) {
          const [first, end] = [batch.keys[2 * t]!, batch.keys[2 * t + 1]!];
          expect(end).toBe(t + 1);
          expect(t - first).toBe(batch.position[t]!);
          // Attending is one relation, said from both sides.
          for (let other = 0; other < tokens; other++) {
            const attends = first <= other && other < end;
            expect(attends).toBe(batch.queries[2 * other]! <= t && t < batch.queries[2 * other + 1]!);
            expect(attends).toBe(batch.row[other] === batch.row[t] && other <= t);
          }
          const target = batch.targetOf[t]!;
          if (target !== NO_TARGET) {
            expect(batch.targetIndex[target]).toBe(t);
            expect(batch.row[t + 1]).toBe(batch.row[t]!);
            expect(batch.labels[target]).toBe(batch.ids[t + 1]!);
          }
        }
        expect([...batch.targetIndex]).toEqual([...batch.targetIndex].sort((a, b) => a - b));
        expect(batch.targetOf.filter(t => t !== NO_TARGET).length).toBe(batch.targets);
      }),
      { numRuns: 60 },
    );
  });

  test('empty sequences are a bug', () => expect(() => pack([sample([], [])])).toThrow('has 0 tokens'));
});

describe('order', () => {
  test('a permutation, the same every time, another for every seed and epoch', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 300 }), fc.nat(2 ** 31), fc.nat(50), (count, seed, epoch) => {
        const order = permutation(count, seed, epoch);
        expect([...order].sort((a, b) => a - b)).toEqual(Array.from({ length: count }, (_, i) => i));
        expect(permutation(count, seed, epoch)).toEqual(order);
        if (count > 30) {
          expect(permutation(count, seed, epoch + 1)).not.toEqual(order);
          expect(permutation(count, seed + 1, epoch)).not.toEqual(order);
        }
      }),
    );
    expect([...permutation(8, 7, 0)]).toEqual([...permutation(8, 7, 0)]);
    expect(permutation(40, 2 ** 40, 0)).not.toEqual(permutation(40, 0, 0));
  });

  test('every place gets every number about equally often', () => {
    const counts = Array.from({ length: 25 }, () => 0);
    const rounds = 5000;
    for (let epoch = 0; epoch < rounds; epoch++) {
      for (const [place, value] of permutation(5, 3, epoch).entries()) counts[5 * place + value]!++;
    }
    // 24 − 8 = 16 degrees of freedom; above 39.25 in one of a thousand honest generators.
    const chi2 = counts.reduce((sum, c) => sum + (c - rounds / 5) ** 2 / (rounds / 5), 0);
    expect(chi2).toBeLessThan(39.25);
  });

  test('split', () => {
    fc.assert(
      fc.property(
        fc.nat(200),
        fc.double({ min: 0, max: 1, noNaN: true }),
        fc.nat(99),
        (count, fraction, seed) => {
          const { train, validation } = split(count, fraction, seed);
          expect([...train, ...validation].sort((a, b) => a - b)).toEqual(
            Array.from({ length: count }, (_, i) => i),
          );
          if (count > 0) expect(train.length).toBeGreaterThan(0);
          if (fraction === 0) expect(validation.length).toBe(0);
          else if (count > 1) expect(validation.length).toBeGreaterThan(0);
        },
      ),
    );
  });
});

describe('streams', () => {
  const list = Array.from({ length: 7 }, (_, i) => sample([i, i], [false, false]));

  test('resuming at a position goes on with the same batches', () => {
    const whole = batchStream(list, 3, 11);
    const taken = Array.from({ length: 12 }, () => whole.next().ids);
    for (const position of [0, 1, 5, 11]) {
      const resumed = batchStream(list, 3, 11, position);
      expect(resumed.next().ids).toEqual(taken[position]!);
      expect(resumed.position).toBe(position + 1);
    }
  });

  test('every sample once per epoch, whatever the batch size', () => {
    for (const batch of [1, 2, 3, 7, 20]) {
      const stream = batchStream(list, batch, 5);
      const seen = Array.from({ length: 7 }, (_, number) => stream.indices(number)).flat();
      for (let epoch = 0; epoch + 1 <= seen.length / 7; epoch++) {
        expect(new Set(seen.slice(7 * epoch, 7 * epoch + 7)).size).toBe(7);
      }
    }
  });

  test('validation goes through all samples in order', () => {
    expect([...batchesInOrder(list, 3)].map(batch => batch.rows)).toEqual([3, 3, 1]);
  });
});
