/** One language, three ways in: a file, a template and the builder give the same checked program. */
import { describe, expect, test } from 'bun:test';
import fc from 'fast-check';
import { check, compile, format, MosError, meaningOf, mos, type Program, renderText } from 'mos';
import {
  adam,
  adamw,
  adapter,
  cosine,
  data,
  euclid,
  evaluate,
  glob,
  hyperbolic,
  kappa,
  learn,
  model,
  program,
  programIn,
  soft,
  space,
  spaceFrom,
  sphere,
  sweep,
  times,
  top2,
  topk,
  train,
  variants,
  word,
} from 'mos/builder';

const file = `model "models/tiny" < dtype: f32 >
adapter math: q_proj, "mlp.*_proj" layers 0..3, 5 < rank: 4; alpha: 16; dropout: 10%;
  experts: hyperbolic(c=learn(init=0.2, max=3)) * 2, sphere(c=0.5, map=exp), kappa(scale=learn, rank=2), euclid;
  router: topk(k=3, aux=0.02, on=rank) >
adapter o_proj < experts: euclid, sphere; router: soft >
data "a.jsonl", "b c.jsonl" < length: 64; validation: 10% >
train < steps: 20; lr: 3e-3; schedule: cosine(warmup=10%); optimizer: adamw(decay=0.01); curvature: adam(lr=1e-3); router: 1e-4 >
eval sums: on "sums.jsonl" < limit: 5; max_tokens: 8 >
`;

function read(text: string): Program {
  const { program: found, diagnostics, sources } = check('script.mos', text);
  if (!found) throw new Error(renderText(diagnostics, sources));
  return found;
}

const meaning = (found: Program) => JSON.parse(meaningOf(found));
const built = () =>
  program(
    model('models/tiny', { dtype: 'f32' }),
    adapter(['q_proj', 'mlp.*_proj'], {
      name: 'math',
      layers: [[0, 3], 5],
      rank: 4,
      alpha: 16,
      dropout: 0.1,
      experts: [
        times(hyperbolic({ c: learn({ init: 0.2, max: 3 }) }), 2),
        sphere({ c: 0.5, map: 'exp' }),
        kappa({ scale: 'learn', rank: 2 }),
        euclid,
      ],
      router: topk({ k: 3, aux: 0.02, on: 'rank' }),
    }),
    adapter('o_proj', { experts: [euclid(), sphere], router: soft }),
    data(['a.jsonl', 'b c.jsonl'], { length: 64, validation: 0.1 }),
    train({
      steps: 20,
      lr: 3e-3,
      schedule: cosine({ warmup: 0.1 }),
      optimizer: adamw({ decay: 0.01 }),
      curvature: adam({ lr: 1e-3 }),
      router: 1e-4,
    }),
    evaluate('sums', 'sums.jsonl', { limit: 5, max_tokens: 8 }),
  );

test('file, template and builder', () => {
  const curved = [times(hyperbolic({ c: learn({ init: 0.2, max: 3 }) }), 2), sphere({ c: 0.5, map: 'exp' })];
  const template = mos`model ${'models/tiny'} < dtype: ${word('f32')} >
adapter math: ${word('q_proj')}, ${'mlp.*_proj'} layers 0..${3}, 5 < rank: ${4}; alpha: 16; dropout: ${10}%;
  experts: ${curved}, ${kappa({ scale: 'learn', rank: 2 })}, ${euclid};
  router: topk(k=${3}, aux=${0.02}, on=rank) >
${adapter('o_proj', { experts: [euclid, sphere], router: soft })}
data ${['a.jsonl', 'b c.jsonl']} < length: 64; validation: 0.1 > // ${'a comment'}
train < steps: 20; lr: ${3e-3}; schedule: cosine(warmup=10%); optimizer: adamw(decay=${1e-2}); curvature: adam(lr=1e-3); router: 1e-4 >
eval sums: on "${'sums'}.jsonl" < limit: 5; max_tokens: 8 >`;
  expect(meaning(template)).toEqual(meaning(read(file)));
  expect(meaning(built())).toEqual(meaning(read(file)));
});

test('a printed program is the same program', () => {
  expect(meaning(read(format(built())))).toEqual(meaning(built()));
  expect(format(read(format(built())))).toBe(format(built()));
});

test('paths are relative to the folder that is given', () => {
  const one = programIn({ folder: 'examples' }, model('models/tiny-qwen2'), adapter('q_proj'));
  expect(one.model).toMatchObject({ path: 'models/tiny-qwen2', baseDir: 'examples' });
  expect(mos.in('examples')`model "models/tiny-qwen2" < > adapter q_proj < >`.model).toMatchObject(
    JSON.parse(JSON.stringify({ path: one.model.path, baseDir: one.model.baseDir })),
  );
  // A program from elsewhere, printed as a file of `other/`.
  expect(format({ ...one, file: 'other/x.mos' })).toContain('model "../examples/models/tiny-qwen2"');
});

test('sweeps: the names and programs of a file', () => {
  const text = 'adapter q_proj < >\nsweep < experts: [[euclid], [hyperbolic, euclid]]; seed: [1, 2] >';
  const fromFile = check('script.mos', text, { needs: { model: false } }).variants ?? [];
  const fromBuilder = variants(
    adapter('q_proj'),
    sweep({ experts: [[euclid], [hyperbolic, euclid]], seed: [1, 2] }),
  );
  const fromTemplate = mos.variants`adapter q_proj < > sweep < experts: [[euclid], [${[hyperbolic, euclid]}]]; seed: [${[1, 2]}] >`;
  const names = fromFile.map(({ name }) => name);
  expect(names).toHaveLength(4);
  for (const found of [fromBuilder, fromTemplate]) {
    expect(found.map(({ name }) => name)).toEqual(names);
    expect(found.map(one => meaning(one.program))).toEqual(fromFile.map(one => meaning(one.program)));
  }
});

test('a space of your own comes with its declaration', () => {
  const horn = space('horn', {
    parameters: { c: 'positive' },
    lift: 'log1p(c*r)/c',
    drop: '(exp(c*r) - 1)/c',
  });
  const found = program(adapter('q_proj', { experts: [horn({ c: learn({ init: 2 }) }), horn, euclid] }));
  expect(found.spaces?.map(({ name }) => name)).toEqual(['horn']);
  expect(
    meaning(mos`adapter q_proj < experts: ${horn({ c: learn({ init: 2 }) })}, ${horn}, euclid >`),
  ).toEqual(meaning(found));
  expect(meaning(read(`${format(found)}\nmodel "m" < >`)).adapters).toEqual(meaning(found).adapters);
  const missing = spaceFrom('spaces/nowhere.mos', 'horn');
  expect(() => program(adapter('q_proj', { experts: [missing] }))).toThrow('use-not-found');
});

test('compile: the plan, for a model in a folder', async () => {
  const found = program(adapter('q_proj', { rank: 2, experts: [hyperbolic, euclid] }));
  const { plan, files } = await compile(found, { model: 'examples/models/tiny-qwen2' });
  expect(plan.sites).toHaveLength(6);
  expect(files.size).toBeGreaterThan(5);
  const wrong = program(adapter('no_such_proj'));
  expect(compile(wrong, { model: 'examples/models/tiny-qwen2' })).rejects.toThrow(MosError);
});

describe('print', () => {
  const parameter = fc.oneof(
    fc.double({ min: 1e-3, max: 9, noNaN: true }).map(c => String(c)),
    fc.constantFrom(
      'learn',
      'learn(init=1)',
      'learn(init=0.5, min=0.1, max=2, lr=1e-3)',
      'learn(decay=0.1)',
      'learn(share=layer)',
      '$s',
      '$t',
    ),
  );
  const extras = fc.constantFrom('', ', map=exp', ', scale=learn', ', rank=3', ', map=exp, rank=8');
  const expert = fc.oneof(
    fc.constantFrom('euclid', 'euclid(rank=2)', 'sphere', 'hyperbolic * 2', 'horn', 'horn(c=2, scale=learn)'),
    fc
      .tuple(fc.constantFrom('sphere(c', 'hyperbolic(c', 'kappa(k', 'horn(c'), parameter, extras)
      .map(([head, c, rest]) => (head.startsWith('horn') ? `${head}=${c})` : `${head}=${c}${rest})`)),
  );
  const router = fc.constantFrom(
    '',
    'router: soft(gate=softmax)',
    'router: top1(aux=0)',
    'router: top2(z=0.1, noise=0.2)',
    'router: topk(k=1)',
    'router: top1(gate=renorm)',
    'router: top2(aux=0.02, on=rank)',
  );
  const adapterText = fc
    .tuple(
      fc.array(expert, { minLength: 2, maxLength: 5 }),
      router,
      fc.constantFrom('', 'rank: 3', 'alpha: 7; rslora: true', 'dropout: 5%'),
      fc.constantFrom('q_proj', 'all-linear', '"mlp.{gate,up}_proj", o_proj layers 1, 3..4'),
    )
    .map(([list, route, rest, where]) =>
      `${where} < experts: ${list.join(', ')}; ${route}; ${rest} >`.replace(/; ;/g, ';'),
    );
  const trainText = fc.subarray([
    'steps: 7',
    'batch: 3',
    'accumulate: 2',
    'lr: 1e-7',
    'schedule: linear(floor=10%)',
    'optimizer: adamw(beta1=0.5, eps=1e-6)',
    'curvature: sgd(lr=0.1)',
    'router: 0.1',
    'clip: 0',
    'seed: 9',
    'log: 1',
    'validate: 5',
    'patience: 2',
    'checkpoint: 7',
  ]);
  const text = fc.tuple(fc.array(adapterText, { minLength: 1, maxLength: 3 }), trainText).map(
    ([adapters, fields]) => `let s = learn(init=0.3, share=all); let t = learn(init=2, share=module);
space horn(c: positive = learn(init=0.4)) < lift(r) = log1p(c*r)/c; drop(r) = -(1 - exp(c*r))/c^1 >
model "m/x" < dtype: bf16 >
${adapters.map((one, i) => `adapter a${i}: ${one}`).join('\n')}
data "d \\"q\\" \\\\.jsonl" < loss: all; format: alpaca >
train < ${fields.join('; ')} >
eval on "e.jsonl" < format: messages; batch: 3 >`,
  );

  test('any program, read again, is the same program', () => {
    fc.assert(
      fc.property(text, source => {
        const found = read(source);
        const printed = format(found);
        expect(meaning(read(printed)), printed).toEqual(meaning(found));
        expect(format(read(printed))).toBe(printed);
      }),
      { numRuns: 60 },
    );
  }, 60_000);
});

test('targets: words, globs, and a glob that looks like a word', () => {
  const { adapters } = program(
    adapter(['q_proj', 'mlp.*', 'all-linear', glob('v_proj'), 'layers'], {
      experts: [euclid, sphere],
      router: top2,
    }),
  );
  expect(adapters[0]?.targets.map(({ kind, text: of }) => [kind, of])).toEqual([
    ['suffix', 'q_proj'],
    ['glob', 'mlp.*'],
    ['all-linear', 'all-linear'],
    ['glob', 'v_proj'],
    ['glob', 'layers'],
  ]);
});
