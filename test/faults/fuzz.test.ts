/** Readers of what strangers write, on inputs nobody thought of: a result or a `Fault`, never another exception. */
import { expect, test } from 'bun:test';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { decodePlan } from '../../compiler/plan/codec.ts';
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
const how = (seed: number) => ({ seed: NIGHTLY ? Math.floor(Math.random() * 2 ** 31) : seed, numRuns: RUNS });

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

test(
  `${RUNS} plans`,
  () => {
    const { planFolder } = tiny();
    const { files } = readPlan(planFolder);
    const text = readFileSync(join(planFolder, 'plan.json'), 'utf8');
    const decode = (content: string) =>
      decodePlan(path => (path === 'plan.json' ? content : files.get(path)));
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
    fc.assert(
      fc.property(
        fc.oneof({ arbitrary: structured, weight: 3 }, { arbitrary: textual, weight: 1 }),
        content => {
          const result = decode(content);
          if ('problem' in result) expect(result.message.length).toBeLessThan(4000);
        },
      ),
      how(1),
    );
  },
  LIMIT_MS,
);

test(
  `${RUNS} safetensors files`,
  () => {
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
    fc.assert(
      fc.property(fc.oneof({ arbitrary: file, weight: 9 }, { arbitrary: random, weight: 1 }), bytes => {
        writeFileSync(path, bytes);
        survives(() => {
          using opened = openSafetensors(path);
          for (const name of opened.tensors.keys()) opened.read(name);
        });
      }),
      how(2),
    );
  },
  LIMIT_MS,
);

test(
  `${RUNS} data files`,
  () => {
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
    fc.assert(
      fc.property(any, bytes => {
        writeFileSync(path, bytes);
        survives(() => readDataset([path]));
      }),
      how(3),
    );
  },
  LIMIT_MS,
);

test(
  `${RUNS} programs`,
  () => {
    const texts = [
      tinyProgram(),
      'let flat = euclid;\nadapter q_proj layers 0..1 < experts: $flat * 2, kappa(k=learn(min=-1)); router: soft >\n',
      'eval a: on "x.jsonl" < limit: 3 >\ntrain < lr: 1e-3; schedule: cosine(warmup=5%); patience: 2; checkpoint: 7 >\n',
    ];
    const text = fc
      .tuple(fc.constantFrom(...texts), edits)
      .map(([start, changes]) => editText(start, changes));
    fc.assert(
      fc.property(
        fc.oneof({ arbitrary: text, weight: 9 }, { arbitrary: fc.string({ unit: 'binary' }), weight: 1 }),
        content => {
          const { program, diagnostics } = check('main.mos', content, {
            readFile: () => undefined,
            overrides: { model: 'm' },
          });
          expect(program === undefined).toBe(diagnostics.some(d => d.severity === 'error'));
          format('main.mos', content);
        },
      ),
      how(4),
    );
  },
  LIMIT_MS,
);
