/** Published evaluations on the example model: batches, records, going on after a stop, scoring anew. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { compile } from '../../compiler/index.ts';
import type { Plan } from '../../compiler/plan/schema.ts';
import { check } from '../../dsl/index.ts';
import { readTestSet } from '../../src/data/questions.ts';
import { readConfig } from '../../src/model/config.ts';
import { PROTOCOLS } from '../../src/protocols/index.ts';
import { Fault } from '../../src/report/fault.ts';
import { saveAdapter } from '../../src/run/adapter-file.ts';
import { evaluateProtocol, type ProtocolArgs } from '../../src/run/evaluate-protocol.ts';
import { writePlan } from '../../src/run/plan-folder.ts';
import { gpuTest } from '../gpu/harness.ts';
import { randomParameters } from './small.ts';

const MODEL = resolve('examples/models/tiny-qwen2');
const QUESTIONS = [
  'How many shells?',
  'Ada has 9 shells and finds 12 more. How many?',
  'Why?',
  '1 + 1',
  'Ada?',
];
const folder = mkdtempSync(join(tmpdir(), 'mos-protocol-'));
const data = join(folder, 'svamp.json');
let plan: Plan;

beforeAll(() => {
  writeFileSync(
    data,
    JSON.stringify(QUESTIONS.map((q, i) => ({ instruction: q, input: '', output: '', answer: `${i}.0` }))),
  );
  const { program } = check(
    'p.mos',
    `model "${MODEL}" < dtype: f32 > adapter q_proj layers 5 < experts: euclid >`,
  );
  const { compiled } = compile(program!, readConfig(MODEL), { generation: { rows: 2, context: 128 } });
  plan = compiled!.plan;
  writePlan(join(folder, 'plan'), plan, compiled!.files);
  const origin = { step: 0, base: '', data: '', seed: 0, exact: true };
  saveAdapter(join(folder, 'adapter'), plan, randomParameters(plan, 3), origin);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Runs into `out`; `stopAfter`: batches. */
async function run(out: string, changed: Partial<ProtocolArgs> = {}, stopAfter = Infinity) {
  const stop = new AbortController();
  const phases: string[] = [];
  let batches = 0;
  const results = await evaluateProtocol(
    {
      plan: join(folder, 'plan'),
      out: join(folder, out),
      sides: ['base'],
      protocol: 'svamp',
      prompt: 'chat',
      rule: 'last-number',
      data,
      maxTokens: 12,
      batch: 2,
      ...changed,
    },
    {
      log: () => {},
      phase: name => void phases.push(name),
      progress: () => {
        if (++batches >= stopAfter) stop.abort();
      },
      stop: stop.signal,
    },
  );
  return { results, phases };
}

const lines = (out: string, side = 'base') =>
  readFileSync(join(folder, out, `svamp.${side}.jsonl`), 'utf8')
    .trimEnd()
    .split('\n')
    .map(line => JSON.parse(line) as Record<string, unknown>);

describe('a published evaluation', () => {
  gpuTest('goes on where it was stopped, to the same bytes', async () => {
    const { results } = await run('whole');
    expect(results).toMatchObject([{ side: 'base', score: { total: 5 } }]);
    const [head, ...answers] = lines('whole');
    expect(head).toMatchObject({
      protocol: 'svamp',
      prompt: 'chat',
      rule: 'last-number',
      decoding: 'greedy',
      published: '4 beams',
      adapter: null,
    });
    expect(answers.map(a => a.index)).toEqual([0, 1, 2, 3, 4]);
    expect(new Set(answers.map(a => a.output)).size).toBeGreaterThan(1);
    expect(answers[1].prompt).toContain(QUESTIONS[1]);

    const stopped = await run('cut', {}, 1);
    expect(stopped.results[0].score.total).toBe(2);
    expect(lines('cut')).toHaveLength(3);
    // as a process killed while writing leaves it
    appendFileSync(join(folder, 'cut/svamp.base.jsonl'), '{"type":"answer","index":2,"li');
    // and on, one at a time, which says the same as batches of different lengths
    await run('cut', { batch: 1 });
    expect(lines('cut')).toEqual(lines('whole'));
    expect((await run('cut', { limit: 3 })).results[0].score.total).toBe(3);
  });

  gpuTest('scores what is answered by another rule, without a GPU', async () => {
    const { results, phases } = await run('whole', { rule: 'announced' });
    expect(phases).toEqual([]);
    const [head, ...answers] = lines('whole');
    expect(head.rule).toBe('announced');
    for (const { output, extracted } of answers)
      expect(extracted).toBe(PROTOCOLS.svamp.rules.announced(output as string) ?? null);
    expect(results[0].none).toBe(answers.filter(a => a.extracted === null).length);
  });

  gpuTest('the adapter is on for its side alone', async () => {
    const sides = ['base', 'adapter'] as const;
    await run('both', { adapter: join(folder, 'adapter'), sides: [...sides] });
    const outputs = (out: string, side: string) => lines(out, side).map(line => line.output);
    expect(outputs('both', 'base')).toEqual(outputs('whole', 'base'));
    expect(outputs('both', 'adapter')).not.toEqual(outputs('whole', 'base'));
    expect(lines('both', 'adapter')[0].adapter).toMatch(/^[0-9a-f]{64}$/);
  });

  gpuTest('refuses a record of something else', async () => {
    const refused = async (changed: Partial<ProtocolArgs>) => {
      const error = await run('whole', changed).catch(e => e as Fault);
      return error instanceof Fault ? error.diagnostics[0].message : 'taken';
    };
    expect(await refused({ maxTokens: 13 })).toContain('the longest answer changed');
    expect(await refused({ prompt: 'chatml' })).toContain('the prompt changed');
    const other = join(folder, 'other.json');
    writeFileSync(other, JSON.stringify([{ question: 'Q', answer: '#### 3' }]));
    expect(await refused({ data: other, maxTokens: 13 })).toContain(
      'the longest answer, the test file changed',
    );
    writeFileSync(join(folder, 'whole/svamp.base.jsonl'), 'notes\n');
    expect(await refused({})).toContain('is not the record of an evaluation');
  });
});

describe('test sets', () => {
  const read = (text: string) => {
    const path = join(folder, 'set.json');
    writeFileSync(path, text);
    try {
      return readTestSet(path, PROTOCOLS.gsm8k.gold).items;
    } catch (error) {
      return error instanceof Fault ? `${error.diagnostics[0].code}: ${error.diagnostics[0].message}` : error;
    }
  };

  test('the published forms', () => {
    expect(read('[{"instruction": "Q", "input": "", "output": "x", "answer": "3.0"}]')).toEqual([
      { line: 1, question: 'Q', input: '', gold: '3.0' },
    ]);
    expect(read('{"question": "Q", "answer": "so\\n#### 1,200"}\n')).toMatchObject([{ gold: '1200' }]);
    expect(read('[{"original_text": "Q", "ans": -0.25}]')).toMatchObject([{ question: 'Q', gold: '-0.25' }]);
    expect(read('{"problem": "P", "solution": "s", "answer": "7"}')).toMatchObject([{ question: 'P' }]);
  });

  test('what cannot be one is refused with its line', () => {
    expect(read('{"problem": "P", "answer": "7"}\n{"prompt": "P"}')).toMatch(/^unknown-data-format: line 2/);
    expect(read('{"problem": "P", "answer": "B"}')).toMatch(/^bad-data: line 1 .*`B` is no answer/);
    expect(read('{"problem": "P", "answer": ["7"]}')).toMatch(/^bad-data: line 1/);
    expect(read('{"problem": 5, "answer": "7"}')).toMatch(/^bad-data: line 1/);
    expect(read('\n')).toMatch(/^no-data/);
  });
});
