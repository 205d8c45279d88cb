/** The reader without packages accepts and refuses exactly what the zod schema and the reader of folders do. */
import { describe, expect, test } from 'bun:test';
import fc from 'fast-check';
import { decodePlan } from '../../compiler/plan/codec.ts';
import { type Plan, type PlanBuffer, planSchema } from '../../compiler/plan/schema.ts';
import { planShape } from '../../compiler/plan/shape.generated.ts';
import { Fault } from '../../src/report/fault.ts';
import { readPlan } from '../../src/runtime/read-plan.ts';
import { compileSmall } from '../run/small.ts';

const RUNS = 300;

const { plan, files } = compileSmall({
  adapters: 'adapter q_proj < rank: 4; experts: hyperbolic(c=learn), sphere(scale=learn); router: top1 >',
  data: 'length: 32; validation: 10%; loss: response',
  evals: 'eval e: on "e.jsonl" < max_tokens: 8; batch: 4; limit: 3 >',
});

/** A few of everything, so that a random place is seldom one of many alike. */
const SMALL = ((): Plan => {
  const copy = structuredClone(plan);
  copy.programs = { forward: copy.programs.forward };
  const kindOf = (b: PlanBuffer) => b.content?.kind;
  copy.buffers = copy.buffers.filter((b, i, all) => all.findIndex(o => kindOf(o) === kindOf(b)) === i);
  const cut = (value: unknown): void => {
    if (typeof value !== 'object' || value === null) return;
    if (Array.isArray(value) && value !== copy.buffers) value.splice(3);
    for (const inner of Object.values(value)) cut(inner);
  };
  cut(copy);
  return copy;
})();

type Path = (string | number)[];
type Node = Record<string | number, unknown>;

function pathsOf(value: unknown, path: Path = []): Path[] {
  if (typeof value !== 'object' || value === null) return [path];
  return [path, ...Object.entries(value).flatMap(([key, v]) => pathsOf(v, [...path, key]))];
}

/** Sets, removes or adds at a place; `value` undefined removes. */
function change(root: unknown, path: Path, value: unknown, added?: string): void {
  let node = root as Node;
  for (const key of path.slice(0, -1)) node = node[key] as Node;
  const last = path.at(-1)!;
  if (added !== undefined) {
    const target = node[last];
    if (Array.isArray(target)) target.push(value);
    else if (typeof target === 'object' && target !== null) (target as Node)[added] = value;
  } else if (value === undefined) {
    if (Array.isArray(node)) node.splice(Number(last), 1);
    else delete node[last];
  } else node[last] = value;
}

const VALUES = [
  undefined,
  null,
  true,
  false,
  0,
  -0,
  1,
  -1,
  2,
  0.5,
  2 ** 31,
  2 ** 32 - 1,
  2 ** 32,
  2 ** 48,
  2 ** 48 + 2,
  2 ** 53,
  1e300,
  Number.MIN_VALUE,
  '',
  'x',
  'x'.repeat(64),
  'x'.repeat(513),
  '😀'.repeat(256),
  'f32',
  'read',
  'tokens',
  'weights',
  'kernels/a.wgsl',
  'kernels/../a.wgsl',
  'a'.repeat(64),
  '1.0',
  [],
  [[]],
  [1, 2],
  {},
  { kind: 'groups' },
  { kind: 'rope' },
  { kind: 'uniform', bound: 1 },
  { kind: 'constant', value: 0 },
  { symbol: 'rows', multiply: 1, divide: 1 },
  { symbol: 'rows', multiply: 1, divide: 1, limit: 0 },
]; // prettier-ignore

const places = pathsOf(SMALL).filter(p => p.length > 0);
const edits = fc.array(
  fc.record({
    at: fc.nat(places.length - 1),
    value: fc.oneof(fc.constantFrom(...VALUES), fc.string(), fc.double({ noNaN: true }), fc.integer()),
    added: fc.option(fc.constantFrom('kind', 'name', 'extra', 'constructor'), { nil: undefined }),
  }),
  { minLength: 1, maxLength: 2 },
);

/** A plan with the edits made, those whose place an earlier one took away left out, as a reader sees it: through JSON. */
function edited(list: { at: number; value: unknown; added: string | undefined }[]): unknown {
  const copy = structuredClone(SMALL);
  for (const { at, value, added } of list) {
    try {
      change(copy, places[at], value, added);
    } catch {
      // The place is gone.
    }
  }
  return JSON.parse(JSON.stringify(copy));
}

async function verdictOf(text: string): Promise<string> {
  try {
    await readPlan(text, files);
    return 'ok';
  } catch (error) {
    if (error instanceof Fault) return error.message;
    throw error;
  }
}

describe('the derived shape', () => {
  test(`agrees with the schema on ${RUNS} plans with a change or two`, () => {
    const seen = { true: 0, false: 0 };
    fc.assert(
      fc.property(edits, list => {
        const json = edited(list);
        const accepted = planSchema.safeParse(json).success;
        seen[`${accepted}`]++;
        expect(planShape(json, false) === undefined).toBe(accepted);
      }),
      { numRuns: RUNS },
    );
    expect(Math.min(seen.true, seen.false)).toBeGreaterThan(10);
  });

  test('agrees with the schema at every place for every kind of value', () => {
    const distinct = new Map(places.map(p => [p.map(k => (/^\d+$/.test(String(k)) ? '#' : k)).join('.'), p]));
    const differ: string[] = [];
    for (const [name, path] of distinct) {
      for (const value of VALUES) {
        const copy = structuredClone(SMALL);
        change(copy, path, value);
        const json = JSON.parse(JSON.stringify(copy));
        const accepted = planSchema.safeParse(json).success;
        if ((planShape(json, false) === undefined) !== accepted)
          differ.push(`${name} = ${JSON.stringify(value)}: schema ${accepted}`);
      }
    }
    expect(differ).toEqual([]);
    expect(distinct.size).toBeGreaterThan(100);
  });

  test('numbers beyond any double are none', () => {
    const text = JSON.stringify(plan).replace(/"lr":[^,]+/, '"lr":1e999');
    expect(planShape(JSON.parse(text), false)).toMatch(/^\.groups\[0\]\.lr: not a number/);
    expect(planSchema.safeParse(JSON.parse(text)).success).toBe(false);
  });
});

describe('reading without files', () => {
  test('gives the plan and its kernels', async () => {
    const text = JSON.stringify(plan);
    const asRecord = await readPlan(text, Object.fromEntries(files));
    expect(asRecord).toEqual({ plan, files });
    expect(await readPlan(text, files)).toEqual(asRecord);
    expect(await readPlan(text, async file => files.get(file))).toEqual(asRecord);
  });

  test('refuses what reading a folder refuses, in the same words', async () => {
    const texts = ['', '[]', '{}', '{"format":"mosplan","version":"2.0"}', '{"__proto__":1}'];
    const changes: ((plan: Plan) => unknown)[] = [
      p => p.buffers.pop(),
      p => Object.assign(p.requires, { bytes: p.requires.bytes + 4 }),
      p => Object.assign(p.kernels[0], { sha256: '0'.repeat(64) }),
      p => Object.assign(p.kernels[0], { file: 'kernels/none.wgsl' }),
      p => Object.assign(p.programs.forward[0].bindings[0], { offset: 1e9 }),
      p => Object.assign(p.parameters[0], { offset: 1e9 }),
      p => Object.assign(p.programs.forward[0], { origin: 1e6 }),
    ];
    for (const edit of changes) {
      const copy = structuredClone(plan);
      edit(copy);
      texts.push(JSON.stringify(copy));
    }
    for (const text of texts) {
      const result = decodePlan(path => (path === 'plan.json' ? text : files.get(path)));
      if (!('problem' in result)) throw new Error(`accepted: ${text.slice(0, 80)}`);
      expect(await verdictOf(text)).toBe(`plan-${result.problem}: ${result.message}`);
    }
  });

  test('a changed kernel is refused, wherever it comes from', async () => {
    const text = JSON.stringify(plan);
    const [{ file }] = plan.kernels;
    const changed = new Map([...files, [file, `${files.get(file)} `]]);
    const get = (f: string) => changed.get(f);
    for (const kernels of [changed, Object.fromEntries(changed), get])
      expect(readPlan(text, kernels)).rejects.toThrow('was changed after it was compiled');
    // A name from a prototype is no text.
    const tampered = text.replaceAll(file, 'kernels/constructor.wgsl');
    expect(readPlan(tampered, {})).rejects.toThrow('is missing');
  });
});

describe('a plan of a later minor version', () => {
  const later = (edit: (plan: Plan & Node) => unknown, version = '1.7'): Promise<string> => {
    const copy = structuredClone(plan) as Plan & Node;
    copy.version = version;
    edit(copy);
    return verdictOf(JSON.stringify(copy));
  };

  test('may say more where that may be ignored', async () => {
    const additions: ((plan: Plan & Node) => unknown)[] = [
      () => {},
      p => Object.assign(p, { licence: 'any' }),
      p => Object.assign(p.buffers[0], { shape: [1, 2] }),
      p => Object.assign(p.kernels[0], { note: 'n' }),
      p => Object.assign(p.origins[0], { endColumn: 3 }),
      p => Object.assign(p.sites[0], { label: 'l' }),
      p => Object.assign(p.parameters[0], { unit: 'nats' }),
      p => Object.assign(p.requires, { bytes: p.requires.bytes + 1024 }),
    ];
    for (const add of additions) {
      expect(await later(add)).toBe('ok');
    }
    // What is ignored is gone, so that nobody downstream trips over it.
    const copy = { ...structuredClone(plan), version: '1.1', licence: 'any' };
    expect((await readPlan(JSON.stringify(copy), files)).plan).toEqual({ ...plan, version: '1.1' });
  });

  test('its variants that are not understood are dropped, but never the first', async () => {
    const extra = (p: Plan) => ({ ...p.programs.forward[0].variants[0], wave: 64 });
    expect(await later(p => p.programs.forward[0].variants.push(extra(p)))).toBe('ok');
    expect(await later(p => p.programs.forward[0].variants.unshift(extra(p)))).toMatch(/wave: no such field/);
  });

  test('may not say more anywhere else, nor does an equal version', async () => {
    expect(await later(p => Object.assign(p.programs.forward[0], { when: 1 }))).toMatch(
      /when: no such field/,
    );
    expect(await later(p => Object.assign(p.groups[0], { momentum: 1 }))).toMatch(/no such field/);
    expect(await later(p => Object.assign(p.requires, { bytes: p.requires.bytes - 4 }))).toMatch(
      /requirements/,
    );
    expect(await later(p => Object.assign(p, { licence: 'any' }), '1.0')).toMatch(/licence: no such field/);
    expect(await later(() => {}, '2.0')).toMatch(/^plan-version/);
  });
});
