/** Scratch memory: values that live at once never share a slot, by property on random programs and by replay on a real one. */
import { describe, expect, test } from 'bun:test';
import fc from 'fast-check';
import { differentiate } from '../../compiler/differentiate.ts';
import { type Draft, matrix, type Value } from '../../compiler/graph.ts';
import { Lowering, type Mode } from '../../compiler/lower.ts';
import { bytesOf, type MemoryPlan, planMemory } from '../../compiler/memory.ts';
import { ParameterSpace } from '../../compiler/parameters.ts';
import { select } from '../../compiler/select.ts';
import { Store } from '../../compiler/store.ts';
import type { KernelSpec } from '../../kernels/spec.ts';
import { programOf, SMALL } from '../run/small.ts';

const SOURCE = { file: '', line: 0, column: 0, module: '' };
const scratch = (binding: Draft['bindings'][string]): binding is Value =>
  binding !== undefined && !('buffer' in binding) && binding.place === undefined;

/** Runs drafts with slots holding the name of their last writer; the first read of something else, or undefined. */
function replay(
  drafts: Draft[],
  { slotOf, slots }: MemoryPlan,
  holds = new Map<number, Value>(),
): string | undefined {
  for (const [at, { spec, bindings }] of drafts.entries()) {
    const access = (name: string) => spec.bindings.find(b => b.name === name)!.access;
    const values = Object.entries(bindings).filter((entry): entry is [string, Value] => scratch(entry[1]));
    for (const [name, value] of values) {
      const slot = slotOf.get(value)!;
      if (bytesOf(value) > slots[slot]) return `${at} ${spec.name}: ${value.name} does not fit its slot`;
      if (access(name) !== 'write' && access(name) !== 'read_write' && holds.get(slot) !== value)
        return `${at} ${spec.name}: ${value.name} is gone`;
    }
    const written = values
      .filter(([name]) => access(name) === 'write' || access(name) === 'read_write')
      .map(([, v]) => v);
    const others = (value: Value) => values.filter(([, v]) => v !== value).map(([, v]) => slotOf.get(v));
    for (const value of written) {
      if (others(value).includes(slotOf.get(value)))
        return `${at} ${spec.name}: ${value.name} shares a slot with another binding`;
      holds.set(slotOf.get(value)!, value);
    }
  }
  return undefined;
}

const KERNEL: KernelSpec = {
  name: 'test',
  wgsl: '',
  bindings: [
    { name: 'a', access: 'read' },
    { name: 'b', access: 'read' },
    { name: 'out', access: 'write' },
  ],
};

/** A program of `reads.length` kernels, each of which reads two earlier results, by distance, and writes one. */
function synthetic(steps: { rows: number; back: [number, number] }[]): Draft[] {
  const values: Value[] = [];
  return steps.map(({ rows, back }, i) => {
    const [a, b] = back.map(distance => values[i - 1 - distance]);
    const out = matrix(`v${i}`, { symbol: 'tokens', max: rows }, 4);
    values.push(out);
    return {
      spec: KERNEL,
      params: {},
      bindings: { a, b, out },
      grid: [1, 1, 1],
      flops: { each: 0 },
      source: SOURCE,
    };
  });
}

const programs = fc.array(
  fc.record({ rows: fc.integer({ min: 1, max: 40 }), back: fc.tuple(fc.nat(12), fc.nat(12)) }),
  { minLength: 1, maxLength: 40 },
);

describe('random programs', () => {
  test('no two values that live at once share a slot', () => {
    fc.assert(
      fc.property(programs, steps => {
        const drafts = synthetic(steps);
        expect(replay(drafts, planMemory(drafts))).toBeUndefined();
      }),
      { numRuns: 300 },
    );
  });

  test('nothing is wasted on values that never meet', () => {
    // a chain needs two slots, however long it is
    const chain = synthetic(Array.from({ length: 30 }, () => ({ rows: 8, back: [0, 0] })));
    expect(planMemory(chain).slots).toEqual([128, 128]);
  });

  test('the replay finds a value that was overwritten', () => {
    const drafts = synthetic([
      { rows: 1, back: [0, 0] },
      { rows: 1, back: [0, 0] },
      { rows: 1, back: [1, 1] },
    ]);
    const plan = planMemory(drafts);
    const first = drafts[0].bindings.out as Value;
    const second = drafts[1].bindings.out as Value;
    plan.slotOf.set(second, plan.slotOf.get(first)!);
    expect(replay(drafts, plan)).toContain('shares a slot');
    const third = drafts[2].bindings.out as Value;
    plan.slotOf.set(second, 1).set(third, 2).set(first, 0);
    plan.slots.splice(0, 3, 16, 16, 16);
    expect(replay(drafts, plan)).toBeUndefined();
    drafts.splice(1, 0, drafts[1]);
    plan.slotOf.set(second, 0);
    drafts[1] = { ...drafts[1], bindings: { out: second } };
    expect(replay(drafts, plan)).toContain('is gone');
  });
});

test('a real plan: training, validation and generation in any order read what was written', () => {
  const program = programOf({
    adapters: `adapter q_proj, v_proj < rank: 4; experts: hyperbolic, euclid >
adapter o_proj, down_proj < rank: 4; experts: sphere(map=exp); dropout: 0.1 >`,
  });
  const { slots, placements } = select(program, SMALL);
  const store = new Store();
  const sizes = { tokens: 160, rows: 5, generateRows: 8, context: 64, prefillTokens: 300, logitRows: 8 };
  const lowering = new Lowering(
    store,
    new ParameterSpace(program.train),
    sizes,
    slots.length,
    program.model.origin,
  );
  lowering.placeModel(SMALL, placements);
  lowering.declareAdapterBuffers();
  const train = lowering.model(SMALL, 'train');
  const drafts = (mode: Mode) => lowering.model(SMALL, mode).graph.drafts();
  const [forward, backward] = [
    train.graph.drafts(),
    differentiate(train.graph, new Map([[train.loss!.input, train.loss!.gradient!]])),
  ];
  const [evaluate, prefill, decode] = [drafts('evaluate'), drafts('prefill'), drafts('decode')];
  const memory = planMemory([forward, backward, evaluate, prefill, decode].flat());
  const step = [...forward, ...backward];
  expect(
    replay([...step, ...step, ...evaluate, ...prefill, ...decode, ...decode, ...step, ...evaluate], memory),
  ).toBeUndefined();
  // sharing is what the plan is for: all values together would need several times as much
  const values = new Set(
    [...step, ...evaluate, ...prefill, ...decode].flatMap(d => Object.values(d.bindings).filter(scratch)),
  );
  const apart = [...values].reduce((sum, v) => sum + bytesOf(v), 0);
  expect(memory.slots.reduce((a, b) => a + b, 0)).toBeLessThan(apart / 3);
});
