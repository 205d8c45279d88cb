/** `mos eval --protocol` and `mos export`, `mos import`: mistakes that are told before anything is loaded. */
import { afterAll, beforeAll, expect, test } from 'bun:test';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { mos } from './run.ts';

const folder = mkdtempSync(join(tmpdir(), 'mos-evaluation-'));
const out = join(folder, 'out');
const program = join(folder, 'lora.mos');
const numbers = join(folder, 'numbers.json');

beforeAll(() => {
  writeFileSync(
    program,
    `model "${resolve('examples/models/tiny-qwen2')}" < >\nadapter q_proj < experts: euclid >\n`,
  );
  writeFileSync(numbers, JSON.stringify([{ instruction: 'What is 1 + 1?', answer: '2' }]));
});
afterAll(() => rmSync(folder, { recursive: true }));

const evaluate = (...args: string[]) => mos(['eval', program, '--out', out, ...args]);
const published = (...args: string[]) => evaluate('--protocol', 'svamp', '--data', numbers, ...args);

async function told(outcome: ReturnType<typeof mos>, ...parts: string[]): Promise<void> {
  const { code, stderr, stdout } = await outcome;
  for (const part of parts) expect(stderr).toContain(part);
  expect([code, stdout]).toEqual([1, '']);
}

test('a protocol, prompt, rule or side that there is not', async () => {
  await told(evaluate('--protocol', 'gsm8', '--data', numbers), 'bad-argument', 'did you mean `gsm8k`?');
  await told(published('--prompt', 'alpaca'), 'there are: chat, chatml, llm-adapters, llm-adapters-train');
  await told(published('--rule', 'last-numbr'), 'did you mean `last-number`?');
  await told(published('--rule', 'first-letter'), 'there are: last-number, announced');
  await told(published('--side', 'left'), '`--side` is `base` or `adapter`');
});

test('an option of protocols without one', async () => {
  await told(evaluate('--rule', 'last-number'), '`--rule` needs `--protocol NAME`');
});

test('a test file that is missing, several, or of another protocol', async () => {
  await told(evaluate('--protocol', 'svamp'), '`--protocol` needs one test file');
  await told(published('--data', numbers), '`--protocol` needs one test file');
  await told(evaluate('--protocol', 'aqua', '--data', numbers), 'bad-data', 'line 1', '`2` is no answer');
  await told(evaluate('--protocol', 'svamp', '--data', join(folder, 'none.json')), 'file-not-found');
});

test('an adapter that is not there', async () => {
  await told(published('--side', 'adapter'), 'there is no adapter to evaluate');
  await told(published('--adapter', join(folder, 'none')), 'file-not-found');
});

test('questions that do not fit the model, or the plan', async () => {
  await told(published('--max-tokens', '600'), 'prompt-too-long', 'the context of the model is 512');
  const compiled = await mos(['compile', program, '--out', out]);
  expect(compiled.code).toBe(0);
  const plan = ['eval', join(out, 'lora.mosplan'), '--protocol', 'svamp', '--data', numbers];
  await told(mos([...plan, '--max-tokens', '500', '--out', out]), 'prompt-too-long', 'give the `.mos` file');
  expect(existsSync(join(out, 'eval'))).toBe(false);
});

test('export and import say what is missing', async () => {
  await told(mos(['export', program, '--out', out]), 'name it with `--peft DIR`');
  await told(mos(['export', program, '--out', out, '--peft', join(folder, 'peft')]), 'no adapter folder');
  await told(mos(['import', program, '--out', out]), 'name it with `--peft DIR`');
  await told(mos(['import', program, '--out', out, '--peft', join(folder, 'peft')]), 'file-not-found');
  expect(existsSync(join(folder, 'peft'))).toBe(false);
});
