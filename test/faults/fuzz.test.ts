/** Readers of what strangers write, on inputs nobody thought of: a result or a `Fault`, never another exception. */
import { expect, test } from 'bun:test';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { decodePlan } from '../../compiler/plan/codec.ts';
import { requirements } from '../../compiler/plan/requirements.ts';
import type { Plan } from '../../compiler/plan/schema.ts';
import { check, format } from '../../dsl/index.ts';
import { readDataset } from '../../src/data/dataset.ts';
import { openSafetensors } from '../../src/model/safetensors.ts';
import { Fault } from '../../src/report/fault.ts';
import { readPlan } from '../../src/run/plan-folder.ts';
import { tinyProgram } from '../tiny-model.ts';
import { newFolder, tiny } from './rig.ts';
import { NIGHTLY } from './table.ts';

const RUNS = NIGHTLY ? 100_000 : 400;
const LIMIT_MS = NIGHTLY ? 4 * 3600_000 : 120_000;
/** What a reader may still hold after all inputs; one of them in full is far below. */
const KEPT_BYTES = 256 * 2 ** 20;

/** Runs `reader` on so many inputs; at night from another seed each time, and says what it took. */
function fuzz<T>(
  what: string,
  seed: number,
  prepare: () => [inputs: fc.Arbitrary<T>, reader: (input: T) => void],
): void {
  const run = () => {
    const [inputs, reader] = prepare();
    Bun.gc(true);
    const before = process.memoryUsage.rss();
    const began = performance.now();
    let slowest = 0;
    const timed = (input: T) => {
      const start = performance.now();
      reader(input);
      slowest = Math.max(slowest, performance.now() - start);
    };
    const chosen = NIGHTLY ? Math.floor(Math.random() * 2 ** 31) : seed;
    fc.assert(fc.property(inputs, timed), { seed: chosen, numRuns: RUNS });
    Bun.gc(true);
    const kept = process.memoryUsage.rss() - before;
    if (NIGHTLY) {
      const seconds = Math.round((performance.now() - began) / 1000);
      process.stdout.write(
        `${RUNS} ${what}: ${seconds} s, slowest ${slowest.toFixed(1)} ms, memory ${(kept / 2 ** 20).toFixed(0)} MiB more\n`,
      );
    }
    expect(kept).toBeLessThan(KEPT_BYTES);
  };
  test(`${RUNS} ${what}`, run, LIMIT_MS);
}

function survives(action: () => unknown): void {
  try {
    action();
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    expect(error.diagnostics[0].message.length).toBeLessThan(4000);
  }
}

/** One change of a text or of bytes: what a slip, a broken disk or a clever stranger does. */
const edit = fc.record({
  at: fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }),
  remove: fc.integer({ min: 0, max: 12 }),
  insert: fc.oneof(
    fc.string({ unit: 'binary', maxLength: 6 }),
    fc.constantFrom(
      '{',
      '}',
      '[',
      ']',
      '"',
      '\\',
      '<',
      '>',
      '(',
      ')',
      ',',
      ':',
      ';',
      '-1',
      '1e999',
      'null',
      '\0',
      '\ud800',
      '__proto__',
      '//',
      '/*',
    ),
  ),
});
const edits = fc.array(edit, { minLength: 1, maxLength: 5 });
type Edit = { at: number; remove: number; insert: string };

const editText = (text: string, changes: Edit[]) =>
  changes.reduce((now, { at, remove, insert }) => {
    const place = Math.floor(at * (now.length + 1));
    return now.slice(0, place) + insert + now.slice(place + remove);
  }, text);

const editBytes = (bytes: Uint8Array, changes: Edit[]) =>
  changes.reduce((now, { at, remove, insert }) => {
    const place = Math.floor(at * (now.length + 1));
    return new Uint8Array(
      Buffer.concat([now.subarray(0, place), Buffer.from(insert), now.subarray(place + remove)]),
    );
  }, bytes);

const folder = newFolder();

/** The Nth place in a JSON value, counted depth first, replaced. */
function replaceAt(value: unknown, at: number, by: unknown): unknown {
  const places: [holder: Record<string, unknown>, key: string][] = [];
  const walk = (node: unknown) => {
    if (typeof node !== 'object' || node === null) return;
    for (const [key, child] of Object.entries(node)) {
      places.push([node as Record<string, unknown>, key]);
      walk(child);
    }
  };
  walk(value);
  const [holder, key] = places[Math.floor(at * places.length)];
  if (by === undefined) delete holder[key];
  else holder[key] = by;
  return value;
}

/** One dispatch of every operation in each program: all that the format knows, a tenth of the bytes. */
function smallPlan(): { plan: Plan; files: Map<string, string> } {
  const { plan, files } = readPlan(tiny().planFolder);
  const seen = new Set<string>();
  for (const [name, dispatches] of Object.entries(plan.programs)) {
    plan.programs[name] = dispatches.filter(({ variants: [{ kernel }] }) => {
      const operation = `${name} ${plan.kernels[kernel].name}`;
      return !seen.has(operation) && seen.add(operation);
    });
  }
  const used = [
    ...new Set(Object.values(plan.programs).flatMap(ds => ds.flatMap(d => d.variants.map(v => v.kernel)))),
  ];
  for (const { variants } of Object.values(plan.programs).flat())
    for (const variant of variants) variant.kernel = used.indexOf(variant.kernel);
  plan.kernels = used.map(kernel => plan.kernels[kernel]);
  plan.requires = requirements(plan.buffers, plan.programs, plan.kernels);
  return { plan, files };
}

fuzz('plans', 1, () => {
  const { plan, files } = smallPlan();
  const text = JSON.stringify(plan);
  const decode = (content: string) => decodePlan(path => (path === 'plan.json' ? content : files.get(path)));
  expect('plan' in decode(text)).toBe(true);
  const odd = fc.oneof(
    fc.constantFrom(
      -1,
      0,
      0.5,
      1e300,
      2 ** 53,
      2 ** 32,
      '',
      'x',
      null,
      true,
      [],
      {},
      undefined,
      '../x',
      '__proto__',
      3,
      256,
    ),
    fc.anything({ maxDepth: 1 }).filter(value => typeof value !== 'bigint' && typeof value !== 'symbol'),
  );
  const place = fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true });
  const structured = fc
    .tuple(place, odd)
    .map(([at, by]) => JSON.stringify(replaceAt(JSON.parse(text), at, by)));
  const textual = edits.map(changes => editText(text, changes));
  return [
    fc.oneof({ arbitrary: structured, weight: 3 }, { arbitrary: textual, weight: 1 }),
    content => {
      const result = decode(content);
      if ('problem' in result) expect(result.message.length).toBeLessThan(4000);
    },
  ];
});

fuzz('safetensors files', 2, () => {
  const header = (length: number) =>
    `{"__metadata__":{"format":"pt"},"a":{"dtype":"F32","shape":[2,${length}],"data_offsets":[0,${8 * length}]},` +
    `"b":{"dtype":"BF16","shape":[],"data_offsets":[${8 * length},${8 * length + 2}]}}`;
  const path = join(folder, 'fuzz.safetensors');
  const random = fc.uint8Array({ maxLength: 64 });
  const file = fc
    .tuple(edits, fc.boolean(), fc.integer({ min: 0, max: 3 }))
    .map(([changes, inHeader, length]) => {
      const text = Buffer.from(inHeader ? editText(header(length), changes) : header(length));
      const bytes = new Uint8Array(8 + text.length + 8 * length + 2);
      new DataView(bytes.buffer).setBigUint64(0, BigInt(text.length), true);
      bytes.set(text, 8);
      return inHeader ? bytes : editBytes(bytes, changes);
    });
  return [
    fc.oneof({ arbitrary: file, weight: 9 }, { arbitrary: random, weight: 1 }),
    bytes => {
      writeFileSync(path, bytes);
      survives(() => {
        using opened = openSafetensors(path);
        for (const name of opened.tensors.keys()) opened.read(name);
      });
    },
  ];
});

fuzz('data files', 3, () => {
  const lines = [
    '{"instruction":"i","input":"n","output":"o","answer":3,"history":[["a","b"]]}',
    '{"messages":[{"role":"user","content":"u"},{"role":"assistant","content":"a"}]}',
    '{"prompt":"p","completion":"c"}',
    '{"conversations":[{"from":"human","value":"u"},{"from":"gpt","value":"a"}]}',
  ];
  const path = join(folder, 'fuzz.jsonl');
  const start = fc.array(fc.constantFrom(...lines), { minLength: 1, maxLength: 4 });
  const text = fc
    .tuple(start, fc.boolean(), edits)
    .map(([chosen, list, changes]) =>
      editText(list ? `[${chosen.join(',\n')}]` : chosen.join('\n'), changes),
    );
  const any = fc.oneof(
    { arbitrary: text.map(t => Buffer.from(t)), weight: 9 },
    { arbitrary: fc.uint8Array({ maxLength: 64 }), weight: 1 },
  );
  return [
    any,
    bytes => {
      writeFileSync(path, bytes);
      survives(() => readDataset([path]));
    },
  ];
});

fuzz('programs', 4, () => {
  const texts = [
    tinyProgram(),
    'let flat = euclid;\nadapter q_proj layers 0..1 < experts: $flat * 2, kappa(k=learn(min=-1)); router: soft >\n',
    'eval a: on "x.jsonl" < limit: 3 >\ntrain < lr: 1e-3; schedule: cosine(warmup=5%); patience: 2; checkpoint: 7 >\n',
    'space horn(c: positive) < lift(r) = log(1 + c*r) / c; drop(r) = (exp(c*r) - 1) / c >\nadapter k_proj < experts: horn(c=learn) >\n',
    'adapter q_proj < experts: hyperbolic >\nsweep < experts: subsets(hyperbolic, sphere, euclid); seed: 1..3 >\n',
  ];
  const text = fc.tuple(fc.constantFrom(...texts), edits).map(([start, changes]) => editText(start, changes));
  return [
    fc.oneof({ arbitrary: text, weight: 9 }, { arbitrary: fc.string({ unit: 'binary' }), weight: 1 }),
    content => {
      const { program, diagnostics } = check('main.mos', content, {
        readFile: () => undefined,
        overrides: { model: 'm' },
      });
      expect(program === undefined).toBe(diagnostics.some(d => d.severity === 'error'));
      format('main.mos', content);
    },
  ];
});
