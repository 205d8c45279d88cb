/** `sweep`: which programs its lists make, what they are called, and what is said about mistakes in them. */
import { describe, expect, test } from 'bun:test';
import fc from 'fast-check';
import { type Checked, check, matchesVariant, type Program, renderText } from '../../dsl/index.ts';
import { LINE } from './tiny.ts';

const run = (text: string): Checked => check('main.mos', text, { overrides: { model: 'm' } });

function variantsOf(text: string): NonNullable<Checked['variants']> {
  const { variants, diagnostics, sources } = run(text);
  if (!variants) throw new Error(renderText(diagnostics, sources));
  return variants;
}

const names = (sweep: string, rest = 'adapter q_proj < >'): string[] =>
  variantsOf(`${rest}\n${sweep}`).map(({ name }) => name);

/** What a program means, wherever it was written. */
const meaning = (program: Program | undefined): unknown =>
  JSON.parse(JSON.stringify(program, (key, value) => (key === 'origin' ? undefined : value)));

const mistakes = (text: string) =>
  run(text).diagnostics.map(({ code, span, help }) => [code, `${span?.line}:${span?.column}`, help ?? '']);

describe('the product', () => {
  test('is in the order of the lists, the last the fastest', () => {
    expect(names('sweep < experts: [[euclid], [hyperbolic, sphere, euclid]]; seed: [1, 2] >')).toEqual([
      'experts=euclid,seed=1',
      'experts=euclid,seed=2',
      'experts=hyperbolic+sphere+euclid,seed=1',
      'experts=hyperbolic+sphere+euclid,seed=2',
    ]);
  });

  test('a variant is the program one would have written', () => {
    const [, second] = variantsOf(
      `${LINE}\nsweep < lr: [1e-3, 3e-3]; experts.c: [0.5]; adapter.router: [soft] >`,
    );
    const written = run(
      'adapter q_proj < experts: hyperbolic(c=0.5), sphere(c=0.5), euclid; router: soft > train < lr: 3e-3 >',
    );
    expect(second?.name).toBe('lr=3e-3,experts.c=0.5,adapter.router=soft');
    expect(second?.settings).toEqual([
      { field: 'lr', value: '3e-3' },
      { field: 'experts.c', value: '0.5' },
      { field: 'adapter.router', value: 'soft' },
    ]);
    expect(meaning(second?.program)).toEqual(meaning(written.program));
  });

  test('`program` is the file without its sweep, and a file without one has no variants', () => {
    expect(meaning(run(`${LINE} sweep < seed: 1..3 >`).program)).toEqual(meaning(run(LINE).program));
    expect(run(LINE)).not.toHaveProperty('variants');
  });

  test('subsets, small ones first, and of some sizes', () => {
    expect(names('sweep < experts: subsets(hyperbolic, sphere, euclid) >')).toEqual([
      'experts=hyperbolic',
      'experts=sphere',
      'experts=euclid',
      'experts=hyperbolic+sphere',
      'experts=hyperbolic+euclid',
      'experts=sphere+euclid',
      'experts=hyperbolic+sphere+euclid',
    ]);
    expect(names('sweep < experts: subsets(hyperbolic, sphere, euclid, size=2) >')).toHaveLength(3);
    expect(names('sweep < experts: subsets(hyperbolic, sphere, euclid, size=2..3) >')).toHaveLength(4);
  });

  test.each([
    ['fixed against learned', 'experts.c: [0.1, learn]', ['experts.c=0.1', 'experts.c=learn']],
    [
      'starts',
      'experts.c: [learn(init=0.01), learn(init=1)]',
      ['experts.c=learn-init-0.01', 'experts.c=learn-init-1'],
    ],
    ['one space', 'experts.sphere.c: [0.1, 1]', ['experts.sphere.c=0.1', 'experts.sphere.c=1']],
    ['maps', 'experts.map: [stereo, exp]', ['experts.map=stereo', 'experts.map=exp']],
    [
      'routers',
      'adapter.router: [top1, top2, soft]',
      ['adapter.router=top1', 'adapter.router=top2', 'adapter.router=soft'],
    ],
    ['balance', 'router.aux: [0, 0.1]', ['router.aux=0', 'router.aux=0.1']],
    ['warm-up', 'schedule.warmup: [0%, 10%]', ['schedule.warmup=0pct', 'schedule.warmup=10pct']],
    ['curvature rate', 'curvature.lr: [1e-3, 1e-2]', ['curvature.lr=1e-3', 'curvature.lr=1e-2']],
    [
      'modules',
      'adapter.targets: [[q_proj, v_proj], "mlp.*_proj"]',
      ['adapter.targets=q_proj+v_proj', 'adapter.targets=mlp.x_proj'],
    ],
    ['layers', 'adapter.layers: [0..1, [2, 4..5]]', ['adapter.layers=0..1', 'adapter.layers=2+4..5']],
    [
      'data',
      'data.path: ["a b.jsonl", ["a.jsonl", "b/c.jsonl"]]',
      ['data.path=ab.jsonl', 'data.path=a.jsonl+b-c.jsonl'],
    ],
    ['storage', 'dtype: [f32, int8]', ['dtype=f32', 'dtype=int8']],
    ['a range', 'seed: 1..2', ['seed=1', 'seed=2']],
  ])('one line: %s', (_, sweep, expected) => {
    const found = variantsOf(`adapter q_proj < >\nsweep < ${sweep} >`);
    expect(found.map(({ name }) => name)).toEqual(expected);
    expect(new Set(found.map(({ program }) => JSON.stringify(meaning(program)))).size).toBe(expected.length);
  });

  test('a named adapter alone, and constants for lists and values', () => {
    const text = `let ranks = [2, 4]; let curved = hyperbolic(c=0.5);
adapter a: q_proj < rank: 1 > adapter b: v_proj < rank: 1 >
sweep < b.rank: $ranks; a.experts: [$curved, [$curved * 2, euclid]] >`;
    const found = variantsOf(text);
    expect(found.map(({ name }) => name)).toContain('b.rank=4,a.experts=curvedx2+euclid');
    const last = found.at(-1)?.program.adapters;
    expect(last?.map(({ rank, experts }) => [rank, experts.length])).toEqual([
      [1, 3],
      [4, 3],
    ]);
    expect(run(text).diagnostics).toEqual([]);
  });

  test('a parameter inside a constant that is repeated', () => {
    const [first] = variantsOf(
      'let curved = hyperbolic;\nadapter q_proj < experts: $curved * 2, euclid >\nsweep < experts.c: [0.5, 1] >',
    );
    expect(first?.program.adapters[0]?.experts.map(({ curvature }) => curvature)).toEqual([
      { kind: 'fixed', value: 0.5 },
      { kind: 'fixed', value: 0.5 },
      undefined,
    ]);
  });

  test('several sweeps with names are one set after another', () => {
    expect(names('sweep a: < seed: [1, 2] > sweep b: < lr: [1e-3, 1e-2] >')).toEqual([
      'a,seed=1',
      'a,seed=2',
      'b,lr=1e-3',
      'b,lr=1e-2',
    ]);
  });

  test('equal programs are run once, and that is said', () => {
    const { variants, diagnostics } = run(
      'adapter q_proj < >\nsweep < experts: [euclid, [sphere, euclid]]; adapter.router: [top1, soft] >',
    );
    expect(variants?.map(({ name }) => name)).toEqual([
      'experts=euclid,adapter.router=top1',
      'experts=sphere+euclid,adapter.router=top1',
      'experts=sphere+euclid,adapter.router=soft',
    ]);
    expect(diagnostics.map(({ code, severity }) => [code, severity])).toEqual([['equal-variants', 'note']]);
  });
});

describe('mistakes', () => {
  test('of names', () => {
    const text = `adapter math: q_proj < >
sweep < sede: [1, 2]; trian.lr: [1, 2]; train.stpes: [1, 2]; mth.rank: [1, 2]; math.rnak: [1, 2] >
sweep b: < experts.cc: [1, 2]; experts.spere.c: [1, 2]; lr.init: [1, 2]; router: [top1, top2] >`;
    expect(mistakes(text)).toEqual([
      ['unknown-field', '2:9', 'replace it with `seed`'],
      ['unknown-field', '2:23', 'replace it with `train.lr`'],
      ['unknown-field', '2:41', 'replace it with `steps`'],
      ['unknown-field', '2:62', 'replace it with `math.rank`'],
      ['unknown-field', '2:80', 'replace it with `rank`'],
      ['unknown-parameter', '3:12', 'write `rank`, `c`, `map`, `scale` or `k`'],
      ['unknown-parameter', '3:32', 'replace it with `sphere`'],
      ['unknown-parameter', '3:57', 'write `lr: [ … ]`'],
      ['ambiguous-field', '3:74', 'write `adapter.router` or `train.router`'],
    ]);
  });

  test('of values are those of the block, at the value', () => {
    const text = `adapter q_proj < >
sweep < experts: [[sphrere], hyperbolic(c=-1)]; seed: [1, 1.5]; batch: [some]; schedule: [cosin, linear] >`;
    expect(mistakes(text)).toEqual([
      ['unknown-space', '2:20', 'replace it with `sphere`'],
      ['out-of-range', '2:43', 'write a number above 0'],
      ['out-of-range', '2:59', 'write a whole number from 0 to 4294967295'],
      ['wrong-value', '2:73', 'write a number'],
      ['unknown-choice', '2:91', 'replace it with `cosine`'],
    ]);
  });

  test('of lists', () => {
    const text = `adapter q_proj < >
sweep a: < seed: 3; log: 1, 2; lr: []; batch: [1, 2, 1]; rank: [[1, 2], 3] >
sweep b: < experts: subsets(sphere); rank: subsets(1, 2); clip: subsets(1, siez=1); steps: 3..1 >
sweep c: < >
sweep c: < seed: [1, 2]; seed: [3, 4] >`;
    expect(mistakes(text).map(([code, place]) => `${code} ${place}`)).toEqual([
      'wrong-value 2:18',
      'wrong-value 2:26',
      'empty-sweep 2:36',
      'repeated-value 2:54',
      'wrong-value 2:65',
      'wrong-value 3:21',
      'wrong-value 3:44',
      'wrong-value 3:65',
      'wrong-value 3:92',
      'empty-sweep 4:1',
      'duplicate-name 5:7',
      'duplicate-field 5:26',
    ]);
  });

  test('of size', () => {
    const tooMany = run('adapter q_proj < > sweep < seed: 1..50; rank: 1..50 >');
    expect(tooMany.diagnostics.map(({ code, message }) => [code, message])).toEqual([
      ['too-many-variants', 'this sweep brings the file to 2500 programs, and 1000 are the most'],
    ]);
    expect(mistakes('adapter q_proj < > sweep < seed: 1..1000000000 >')[0]?.[0]).toBe('too-many-variants');
    expect(mistakes('adapter q_proj < > sweep < seed: [1] >')[0]?.[0]).toBe('sweep-of-one');
  });

  test('that only some variants make say which', () => {
    const { diagnostics } = run(
      'adapter q_proj < router: topk(k=3) >\nsweep < experts: subsets(sphere, euclid, hyperbolic) >',
    );
    expect(diagnostics.map(({ code, span, notes }) => [code, span?.line, notes])).toEqual([
      ['too-few-experts', 1, ['in the variant `experts=sphere+euclid`']],
    ]);
  });

  test('of the base program are told once', () => {
    expect(mistakes('adapter q_proj < rank: 0 >\nsweep < seed: 1..20 >')).toEqual([
      ['out-of-range', '1:24', 'write a whole number from 1 to 1024'],
    ]);
  });
});

describe('names', () => {
  const number = fc.oneof(fc.integer({ min: 1, max: 1024 }), fc.double({ min: 1e-6, max: 10, noNaN: true }));
  const space = fc.oneof(
    fc.constantFrom('euclid', 'sphere', 'hyperbolic', 'kappa', 'sphere * 2', 'hyperbolic(map=exp, c=learn)'),
    fc.double({ min: 1e-3, max: 10, noNaN: true }).map(c => `sphere(c=learn(init=${c}, max=20))`),
  );
  const axis = fc.oneof(
    fc.record({
      field: fc.constantFrom('lr', 'train.clip', 'alpha'),
      values: fc.uniqueArray(number.map(String), { minLength: 1, maxLength: 4 }),
    }),
    fc.record({
      field: fc.constant('experts'),
      values: fc.uniqueArray(
        fc.array(space, { minLength: 1, maxLength: 12 }).map(list => `[${list.join(', ')}]`),
        { minLength: 1, maxLength: 4 },
      ),
    }),
    fc.record({
      field: fc.constant('data.path'),
      values: fc.uniqueArray(
        fc
          .string({ minLength: 1, unit: 'grapheme' })
          .filter(text => !/["\\\p{C}]/u.test(text) && text.trim() !== '')
          .map(text => `"${text}"`),
        { minLength: 1, maxLength: 4, selector: text => text.replace(/\s/g, '') },
      ),
    }),
  );

  test('are unique and safe for whatever is swept', () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(axis, { minLength: 1, maxLength: 3, selector: ({ field }) => field }),
        axes => {
          const fields = axes.map(({ field, values }) => `${field}: [${values.join(', ')}]`).join('; ');
          const found = names(`sweep < ${fields} >`, 'adapter q_proj < >\ndata "d" < >');
          expect(found.length).toBeGreaterThan(0);
          for (const name of found) {
            expect(name).toMatch(/^[A-Za-z0-9_][A-Za-z0-9_.,=+~-]*$/);
            expect(name.length).toBeLessThan(180);
            expect(name).not.toMatch(/\.$/);
          }
          expect(new Set(found.map(name => name.toLowerCase())).size).toBe(found.length);
        },
      ),
      { numRuns: 100 },
    );
  });

  test('are selected by their parts', () => {
    const name = 'maps,experts=hyperbolic+sphere,lr=1e-3,seed=12';
    for (const pattern of ['maps', 'seed=12', 'seed=1*', 'lr=1e-3,seed=12', 'experts=*sphere*', name, '*'])
      expect([pattern, matchesVariant(pattern, name)]).toEqual([pattern, true]);
    for (const pattern of ['map', 'seed=1', 'seed=12,lr=1e-2', 'experts=sphere', 'maps.*', '', '(a+)+$'])
      expect([pattern, matchesVariant(pattern, name)]).toEqual([pattern, false]);
  });
});

test('a parameter of a declared space', () => {
  const declared =
    'space horn(bend: positive) < lift(r) = log1p(bend*r)/bend; drop(r) = (exp(bend*r) - 1)/bend >';
  const found = variantsOf(
    `${declared}\nadapter q_proj < experts: horn, euclid >\nsweep < experts.bend: [0.1, learn(init=1)] >`,
  );
  expect(found.map(({ program }) => program.adapters[0]?.experts[0]?.parameters)).toEqual([
    { bend: { kind: 'fixed', value: 0.1 } },
    { bend: { kind: 'learn', init: 1 } },
  ]);
});
