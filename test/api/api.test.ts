/** The package as a script uses it: from text to a plan, to a trained adapter, to answers; and how each of them is cancelled. */
import { afterAll, describe, expect, test } from 'bun:test';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { compile, evaluate, generate, load, MosError, mos, type StepEvent, train } from 'mos';
import { openDevice } from '../../src/gpu/device.ts';
import { writeTinyData, writeTinyModel } from '../tiny-model.ts';

const folder = mkdtempSync(join(tmpdir(), 'mos-api-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const model = writeTinyModel(join(folder, 'model'));
writeTinyData(join(folder, 'data.jsonl'));

const EXPERTS = 'rank: 4; alpha: 64; experts: hyperbolic, euclid; router: top1';
const REST = `data "data.jsonl" < length: 16 >
train < steps: 3; batch: 2; lr: 5e-2; validate: 2 >
eval sums: on "data.jsonl" < limit: 4; max_tokens: 4 >`;
const ONE = `adapter q_proj, down_proj < ${EXPERTS} >\n${REST}`;
const TWO = `adapter left: q_proj, down_proj < ${EXPERTS} >\nadapter right: q_proj, down_proj < ${EXPERTS} >\n${REST}`;
const PROMPTS = ['1+2=', '3+4=', '5+1='];

const codeOf = async (work: Promise<unknown>): Promise<string> => {
  const error = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof MosError)) throw new Error(`not a MosError: ${error}`);
  return error.diagnostics[0].code;
};

describe('compile', () => {
  test('text, a checked program and a file give the same plan', async () => {
    const text = await compile(ONE, { model, folder });
    const program = await compile(mos.in(folder).check`adapter q_proj < >`.program!, { model });
    expect(program.plan.sites).toHaveLength(2);
    writeFileSync(join(folder, 'one.mos'), ONE);
    const file = await compile({ file: join(folder, 'one.mos') }, { model });
    expect(file.plan.programs).toEqual(text.plan.programs);
    expect(text.plan.data!.paths).toEqual([join(folder, 'data.jsonl')]);
  });

  test('mistakes are one class of error, with codes and places', async () => {
    expect(await codeOf(compile('adapter q_proj < rank: 0 >', { model }))).toBe('out-of-range');
    expect(await codeOf(compile('adapter nowhere < >', { model }))).toBe('no-module-matches');
    expect(await codeOf(compile(ONE, { model: 'no/such/model' }))).toBe('model-not-found');
    expect(await codeOf(compile('adapter q_proj < >'))).toBe('bad-argument');
    expect(await codeOf(compile('adapter q_proj < > sweep < seed: [1, 2] >', { model }))).toBe(
      'several-programs',
    );
    expect(await codeOf(compile({ file: join(folder, 'none.mos') }))).toBe('file-not-found');
  });

  test('a signal that has gone off rejects with its reason', async () => {
    const reason = new Error('enough');
    expect(compile(ONE, { model, folder, signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    const plan = await compile(ONE, { model, folder });
    expect(load(plan, 'auto', { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
  });
});

describe('training', () => {
  test('tells every step; stopped in between and resumed it ends as if it had not been', async () => {
    const plan = await compile(ONE, { model, folder });
    const whole: StepEvent[] = [];
    const validations: number[] = [];
    const phases = new Set<string>();
    const done = await train(plan, {
      out: join(folder, 'whole'),
      onStep: event => whole.push(event),
      onValidation: event => validations.push(event.step),
      onEvent: event => {
        if (event.type === 'phase') phases.add(event.phase);
      },
    });
    expect(whole.map(e => [e.step, e.steps])).toEqual([
      [1, 3],
      [2, 3],
      [3, 3],
    ]);
    expect(whole.every(e => e.loss > 0 && e.gradientNorm > 0 && e.tokens > 0 && e.learningRate > 0)).toBe(
      true,
    );
    expect(validations).toEqual([2, 3]);
    expect(phases).toContain('loading weights');
    expect([done.steps, done.stopped]).toEqual([3, false]);

    const part: StepEvent[] = [];
    const controller = new AbortController();
    const how = {
      out: join(folder, 'part'),
      signal: controller.signal,
      onStep: (event: StepEvent) => {
        part.push(event);
        controller.abort();
      },
    };
    const stopped = await train(plan, how);
    expect([stopped.steps, stopped.stopped]).toEqual([1, true]);
    const rest = await train(plan, { ...how, signal: undefined, resume: true });
    expect(rest.resumedFrom).toBe(1);
    expect(part.map(e => e.loss)).toEqual(whole.map(e => e.loss));
    const bytes = (name: string) => Bun.file(join(folder, name, 'adapter/adapter.safetensors')).bytes();
    expect(await bytes('part')).toEqual(await bytes('whole'));
    expect(readdirSync(join(folder, 'part')).sort()).toEqual(readdirSync(join(folder, 'whole')).sort());
  });
});

describe('a model', () => {
  test('changes adapters without compiling: off is the base, and each name is its own', async () => {
    const plan = await compile(ONE, { model, folder });
    const opened = await openDevice({ limits: plan.plan.requires.limits });
    using one = await load(plan, opened.device);
    const base = await one.generate(PROMPTS, { raw: true, maxTokens: 6 });
    await one.add('trained', join(folder, 'whole/adapter'));
    expect(one.adapters).toEqual(['default', 'trained']);
    expect(await one.generate(PROMPTS, { raw: true, maxTokens: 6 })).toEqual(base);
    await one.use('trained');
    const pieces: string[] = [];
    const answers = await one.generate(PROMPTS, {
      raw: true,
      maxTokens: 6,
      onText: (piece, index) => {
        pieces[index] = (pieces[index] ?? '') + piece;
      },
    });
    expect(answers).not.toEqual(base);
    expect(pieces).toEqual(answers);
    expect(one.using).toEqual(['trained']);
    await one.off();
    expect(await one.generate(PROMPTS[0], { raw: true, maxTokens: 6 })).toBe(base[0]);

    const seen: string[] = [];
    const controller = new AbortController();
    const cut = await one.generate(PROMPTS[0], {
      raw: true,
      maxTokens: 6,
      signal: controller.signal,
      onText: piece => {
        seen.push(piece);
        controller.abort();
      },
    });
    expect(cut).toBe(seen[0]);
    const scores = await one.evaluate({ limit: 2 });
    expect(scores.map(s => [s.name, s.score.total])).toEqual([['sums', 2]]);
    expect(one.evaluate({ signal: controller.signal })).rejects.toThrow();
    expect(await codeOf(one.use('nobody'))).toBe('bad-argument');
    expect(await codeOf(one.evaluate({ only: ['nothing'] }))).toBe('bad-argument');
    expect(await codeOf(one.generate('x'.repeat(200), { raw: true }))).toBe('prompt-too-long');
    one.close();
    // The device is the caller's.
    const buffer = opened.device.createBuffer({ size: 16, usage: 8 });
    expect(buffer.size).toBe(16);
    opened.close();

    // In one go, for whoever answers one prompt.
    const adapter = join(folder, 'whole/adapter');
    const once = { raw: true, maxTokens: 6, adapter };
    expect(await generate(plan, PROMPTS[0], once)).toBe(answers[0]);
    expect(await evaluate(plan, { adapter, limit: 1 })).toHaveLength(1);
  });

  test('two adapters over one base: the rows of a batch choose', async () => {
    const plan = await compile(TWO, { model, folder });
    using two = await load(plan);
    await two.add('left', join(folder, 'whole/adapter'));
    const raw = { raw: true, maxTokens: 6 };
    const one = await compile(ONE, { model, folder });
    const trained = await train(one, { out: join(folder, 'other'), steps: 1 });
    await two.add('right', trained.adapter);
    const alone: string[][] = [];
    for (const names of [['left'], ['right'], []]) {
      await two.use(...names);
      alone.push(await two.generate(PROMPTS, raw));
    }
    expect(new Set(alone.map(texts => texts.join())).size).toBe(3);
    await two.use('left', 'right');
    const mixed = await two.generate(PROMPTS, { ...raw, adapters: [['left'], ['right'], []] });
    expect(mixed).toEqual([alone[0][0], alone[1][1], alone[2][2]]);
    // What is in use for everything else did not change.
    expect(two.using).toEqual(['left', 'right']);
    expect(await codeOf(two.generate(PROMPTS, { ...raw, adapters: [['left']] }))).toBe('bad-argument');
    expect(await codeOf(two.add('left', join(folder, 'nowhere')))).toBe('file-not-found');
  });
});
