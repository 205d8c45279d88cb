/** What well-formed files mean: defaults, overrides, files, and what the compiler is handed. */
import { describe, expect, test } from 'bun:test';
import { type CheckOptions, check, KIND, type Program, schemaOf } from '../../dsl/index.ts';
import { LINE, TINY } from './tiny.ts';

function program(text: string, options: CheckOptions = { overrides: { model: 'm' } }): Program {
  const checked = check('main.mos', text, options);
  expect(checked.diagnostics).toEqual([]);
  if (!checked.program) throw new Error('no program');
  return checked.program;
}

describe('the line the language was made for', () => {
  test('means three experts and a top-2 router', () => {
    const [adapter] = program(LINE).adapters;
    const learned = { map: 'stereo', curvature: { kind: 'learn', init: 0.1 }, learnScale: false, rank: 8 };
    expect(adapter).toMatchObject({
      name: 'default',
      targets: [{ kind: 'suffix', text: 'q_proj' }],
      layers: [],
      rank: 8,
      alpha: 48,
      rslora: false,
      dropout: 0,
      experts: [
        { space: 'hyperbolic', ...learned },
        { space: 'sphere', ...learned },
        { space: 'euclid', learnScale: false, rank: 8 },
      ],
      router: { kind: 'top', k: 2, gate: 'renorm', aux: 0.01, z: 0, noise: 0, on: 'input' },
    });
    expect(adapter?.experts[2]).not.toHaveProperty('map');
    expect(adapter?.experts[2]).not.toHaveProperty('curvature');
  });

  test('alone lacks only a model, and says how to give one', () => {
    const { program: none, diagnostics } = check('main.mos', LINE);
    expect(none).toBeUndefined();
    expect(diagnostics.map(({ code }) => code)).toEqual(['missing-model']);
    expect(diagnostics[0]?.help).toContain('--model');
    expect(check('main.mos', LINE, { needs: { model: false } }).program?.model.path).toBe('');
  });
});

describe('a whole experiment', () => {
  const tiny = program(TINY, {});

  test('every block', () => {
    expect(tiny.model).toMatchObject({ path: 'models/tiny-qwen2', baseDir: '.', dtype: 'f32' });
    expect(tiny.adapters[0]?.experts.map(({ space }) => space)).toEqual([
      'hyperbolic',
      'hyperbolic',
      'sphere',
      'euclid',
    ]);
    expect(tiny.adapters[0]).toMatchObject({ layers: [{ first: 2, last: 5 }], alpha: 16 });
    expect(tiny.adapters[0]?.targets[1]).toMatchObject({ kind: 'glob', text: 'mlp.{gate,up}_proj' });
    expect(tiny.adapters[1]?.router).toEqual({
      kind: 'soft',
      k: 2,
      gate: 'renorm',
      aux: 0,
      z: 0,
      noise: 0,
      on: 'input',
    });
    expect(tiny.adapters[1]?.experts[0]?.curvature).toEqual({ kind: 'learn', init: 0 });
    expect(tiny.data).toMatchObject({
      paths: ['data/train.jsonl'],
      format: 'alpaca',
      length: 128,
      validation: 0.05,
      loss: 'response',
    });
    expect(tiny.train).toMatchObject({
      steps: 300,
      batch: 16,
      accumulate: 1,
      lr: 3e-3,
      schedule: { kind: 'cosine', warmup: 0.05, floor: 0 },
      optimizer: { kind: 'adamw', beta1: 0.9, beta2: 0.999, eps: 1e-8, weightDecay: 0 },
      curvature: { kind: 'adam', lr: 1e-2 },
      clip: 1,
      seed: 7,
      logEvery: 10,
      validateEvery: 0,
      patience: 0,
      checkpointEvery: 50,
    });
    expect(tiny.evals).toMatchObject([
      { name: 'clock', paths: ['data/clock.jsonl'], metric: 'exact', maxTokens: 24, batch: 8 },
    ]);
  });

  test('is plain data', () => {
    expect(JSON.parse(JSON.stringify(tiny))).toEqual(tiny);
  });

  test('spans point at the text', () => {
    const { start, end, line, column } = tiny.adapters[0]?.experts[2]?.origin ?? {
      start: 0,
      end: 0,
      line: 0,
      column: 0,
    };
    expect(TINY.slice(start, end)).toBe('sphere(c=learn)');
    expect([line, column]).toEqual([7, 25]);
  });
});

describe('values', () => {
  const experts = (text: string) => program(`adapter q_proj < rank: 4; experts: ${text} >`).adapters[0];

  test('parameters are fixed or learned', () => {
    const adapter = experts(
      'hyperbolic(c=0.5, map=exp, scale=learn, rank=2), kappa(k=learn(init=-0.1, min=-1, max=1, lr=1e-2))',
    );
    expect(adapter?.experts[0]).toMatchObject({
      curvature: { kind: 'fixed', value: 0.5 },
      map: 'exp',
      learnScale: true,
      rank: 2,
    });
    expect(adapter?.experts[1]?.curvature).toEqual({ kind: 'learn', init: -0.1, min: -1, max: 1, lr: 0.01 });
    expect(adapter?.alpha).toBe(2 * (2 + 4));
  });

  test('one expert has no router; top1 keeps its softmax value', () => {
    expect(experts('sphere')).not.toHaveProperty('router');
    const top1 = program('adapter q_proj < experts: sphere, euclid; router: top1 >').adapters[0]?.router;
    expect(top1).toMatchObject({ k: 1, gate: 'softmax', aux: 0.01 });
    const topk = program('adapter q_proj < experts: sphere * 4; router: topk(k=3, on=rank, noise=0.1) >')
      .adapters[0]?.router;
    expect(topk).toMatchObject({ k: 3, gate: 'renorm', on: 'rank', noise: 0.1 });
  });

  test('targets, labels, layers', () => {
    const [all, deep] = program(
      'adapter all-linear < > adapter math: model.layers.0.q_proj layers 0, 2..5 < >',
    ).adapters;
    expect(all?.targets[0]?.kind).toBe('all-linear');
    expect(deep).toMatchObject({ name: 'math', targets: [{ text: 'model.layers.0.q_proj' }] });
    expect(deep?.layers.map(({ first, last }) => [first, last])).toEqual([
      [0, 0],
      [2, 5],
    ]);
  });

  test('kinds stay usable as names', () => {
    const { adapters } = program(
      'let train = sphere; adapter eval: train, model.data < experts: $train, euclid >',
    );
    expect(adapters[0]).toMatchObject({ name: 'eval', targets: [{ text: 'train' }, { text: 'model.data' }] });
  });

  test('several adapters without a name are fine', () => {
    expect(program('adapter q_proj < > adapter k_proj < >').adapters.map(({ name }) => name)).toEqual([
      'default',
      'default',
    ]);
  });

  test('CRLF, a byte order mark and comments change nothing but places', () => {
    const strip = ({ file: _file, ...rest }: Program) =>
      JSON.stringify(rest, (key, value) => (key === 'origin' ? undefined : value));
    const odd = `\uFEFF/* a */${TINY.replaceAll('\n', '\r\n')}// end`;
    expect(strip(program(odd, {}))).toBe(strip(program(TINY, {})));
  });
});

describe('around the file', () => {
  test('the command line wins, and its paths start elsewhere', () => {
    const text =
      'model "a" < > data "a.jsonl" < length: 64 > adapter q_proj < > train < steps: 1; lr: 1e-4 >';
    const { program: told } = check('runs/x/main.mos', text, {
      overrides: { model: 'b', data: ['c', 'd'], steps: 5, seed: 3 },
    });
    expect(told?.model).toMatchObject({ path: 'b', baseDir: '.' });
    expect(told?.data).toMatchObject({ paths: ['c', 'd'], baseDir: '.', length: 64 });
    expect(told?.train).toMatchObject({ steps: 5, lr: 1e-4, seed: 3 });
    expect(check('runs/x/main.mos', text).program?.model.baseDir).toBe('runs/x');
    const { diagnostics } = check('main.mos', text, { overrides: { steps: 0 } });
    expect(diagnostics.map(({ code, message }) => [code, message])).toEqual([
      ['out-of-range', '`--steps` must be a whole number, 1 or more, not 0'],
    ]);
  });

  test('missing data is told only to who needs it', () => {
    const text = 'model "m" < > adapter q_proj < >';
    expect(program(text, {})).not.toHaveProperty('data');
    expect(check('main.mos', text, { needs: { data: true } }).diagnostics.map(({ code }) => code)).toEqual([
      'missing-data',
    ]);
  });

  test('`use` reads relative to its file, up to the root', () => {
    const files: Record<string, string> = {
      'lib/a.mos': 'use "../common/b.mos"',
      'common/b.mos': 'let flat = euclid;',
    };
    const text = 'use "../lib/a.mos"; adapter q_proj < experts: sphere, $flat >';
    const readFile = (path: string) => files[path];
    const inside = check('runs/main.mos', text, { readFile, root: '.', overrides: { model: 'm' } });
    expect(inside.program?.adapters[0]?.experts.map(({ space }) => space)).toEqual(['sphere', 'euclid']);
    expect([...inside.sources.keys()]).toEqual(['runs/main.mos', 'lib/a.mos', 'common/b.mos']);
    const outside = check('runs/main.mos', text, { readFile, overrides: { model: 'm' } });
    expect(outside.diagnostics.map(({ code }) => code)).toContain('use-outside-root');
  });
});

describe('vocabulary', () => {
  for (const [name, kind] of Object.entries(KIND)) {
    test(`${name}: the example is right, and every default passes its own schema`, () => {
      if (kind.status === 'now') {
        const adapter = name === 'adapter' ? '' : 'adapter q_proj < >';
        program(`${kind.example} ${adapter}`, name === 'model' ? {} : { overrides: { model: 'm' } });
      }
      const defaults = Object.fromEntries(
        Object.entries(kind.fields).map(([field, { fallback }]) => [field, fallback]),
      );
      expect(schemaOf(kind.fields).safeParse(defaults).error).toBeUndefined();
    });
  }

  test('a default written out is the default', () => {
    for (const kind of ['adapter', 'train'] as const) {
      for (const [field, { shown, fallback }] of Object.entries(KIND[kind].fields)) {
        if (fallback === undefined) continue;
        const block =
          kind === 'adapter'
            ? `adapter q_proj < ${field}: ${shown} >`
            : `adapter q_proj < > train < ${field}: ${shown} >`;
        const plain = kind === 'adapter' ? 'adapter q_proj < >' : 'adapter q_proj < > train < >';
        const strip = (text: string) =>
          JSON.stringify(program(text), (key, value) => (key === 'origin' ? undefined : value));
        expect(strip(block)).toBe(strip(plain));
      }
    }
  });
});
