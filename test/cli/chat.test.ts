/** Answers from the command line: stop texts, files of prompts, adapters side by side, and conversations through a pipe. */
import { afterAll, beforeAll, describe, expect } from 'bun:test';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Model } from '../../src/api/model.ts';
import type { Message } from '../../src/model/tokenizer.ts';
import { saveAdapter } from '../../src/run/adapter-file.ts';
import { openBase } from '../../src/run/base.ts';
import { gpu, gpuTest } from '../gpu/harness.ts';
import { randomParameters } from '../run/small.ts';
import { compileTiny, tinyProgram, writeTinyData, writeTinyModel } from '../tiny-model.ts';
import { mos } from './run.ts';

const root = mkdtempSync(join(tmpdir(), 'mos-chat-'));
const path = (...names: string[]) => join(root, ...names);
const program = path('program.mos');
let model: Model;

const ORIGIN = { step: 0, base: '', data: '', seed: 0, exact: true };
const TEMPLATE = `{%- for m in messages -%}
{{ {'system': '+', 'user': '<', 'assistant': '='}[m.role] }}{{ m.content }}{% endfor -%}
{% if add_generation_prompt %}={% endif %}`;

beforeAll(async () => {
  if (!gpu) return;
  writeTinyModel(path('model'));
  writeFileSync(path('model/chat_template.jinja'), TEMPLATE);
  writeTinyData(path('data.jsonl'));
  const { planFolder, plan } = compileTiny(root, tinyProgram());
  for (const [i, name] of ['one', 'two'].entries())
    saveAdapter(path(name), plan, randomParameters(plan, 5 + i), ORIGIN);
  const device = { ...gpu, close() {} };
  model = new Model(
    await openBase(planFolder, () => {}, { openDevice: async () => device as typeof gpu & object }),
  );
  await model.add('one', path('one'));
  await model.add('two', path('two'));
});

afterAll(() => {
  model?.close();
  rmSync(root, { recursive: true });
});

/** What the model says to a conversation, computed from its beginning. */
async function answerTo(
  messages: Message[],
  adapter: string | undefined,
  maxTokens: number,
): Promise<string> {
  await model.use(...(adapter ? [adapter] : []));
  return model.generate(messages, { maxTokens });
}

const ADAPTERS = ['--adapter', `one=${path('one')}`, '--adapter', `two=${path('two')}`];

describe('mos generate', () => {
  gpuTest('answers of base and adapters side by side, prompts of different lengths from a file', async () => {
    const messages: Message[] = [
      { role: 'system', content: 'be brief' },
      { role: 'user', content: '2+2' },
    ];
    const prompts = ['1+2', 'a much longer question', messages];
    writeFileSync(
      path('prompts.jsonl'),
      prompts.map(p => JSON.stringify(typeof p === 'string' ? { prompt: p } : { messages: p })).join('\n\n'),
    );
    const args = [
      'generate',
      program,
      '--prompts',
      path('prompts.jsonl'),
      '--max-tokens',
      '6',
      ...ADAPTERS,
      '--compare',
    ];
    const { stdout, stderr, code } = await mos([...args, '--json', '--out', path('out')]);
    expect(code, stderr).toBe(0);
    expect(stderr).toMatch(/ of GPU memory are needed/);
    const { answers } = JSON.parse(stdout);
    for (const [i, prompt] of prompts.entries()) {
      const asked: Message[] = typeof prompt === 'string' ? [{ role: 'user', content: prompt }] : prompt;
      const texts: Record<string, string> = {};
      for (const side of ['base', 'one', 'two'])
        texts[side] = await answerTo(asked, side === 'base' ? undefined : side, 6);
      expect(answers[i]).toEqual({ prompt, texts });
      expect(new Set(Object.values(texts)).size).toBe(3);
    }
  });

  gpuTest('a stop text ends the answer and is no part of it', async () => {
    const [whole] = [await answerTo([{ role: 'user', content: '1+2' }], 'one', 12)];
    const stop = whole.slice(4, 6);
    const args = [
      'generate',
      program,
      '-p',
      '1+2',
      '--max-tokens',
      '12',
      '--adapter',
      path('one'),
      '--out',
      path('out'),
    ];
    const { stdout } = await mos([...args, '--stop', 'zzz', '--stop', stop]);
    expect(stdout).toBe(`${whole.slice(0, whole.indexOf(stop))}\n`);
  });

  gpuTest('what cannot be is said before a GPU is opened', async () => {
    const said = async (...args: string[]) =>
      (await mos(['generate', program, '--out', path('out'), ...args])).stderr;
    writeFileSync(path('bad.jsonl'), '{"prompt": "1"}\n{"promt": "2"}\n');
    expect(await said('--prompts', path('bad.jsonl'))).toContain('bad.jsonl:2 has neither');
    expect(await said('-p', '1', '--compare')).toContain('there is no adapter to compare with');
    expect(await said('-p', '1', ...ADAPTERS)).toContain('several adapters answer with `--compare` only');
    expect(await said('-p', '1', '--adapter', path('one'), '--adapter', path('two'))).toContain('is taken');
  });
});

interface Chat {
  code: number;
  stdout: string;
  stderr: string;
}

/** Runs `mos chat`; `type` writes lines as a person would. */
async function chat(
  args: string[],
  type: (child: Bun.Subprocess<'pipe', 'pipe', 'pipe'>, out: () => string) => Promise<void> | void,
): Promise<Chat> {
  const child = Bun.spawn(
    [process.execPath, 'src/cli/main.ts', 'chat', program, '--out', path('out'), ...ADAPTERS, ...args],
    {
      cwd: join(import.meta.dir, '../..'),
      stdin: 'pipe',
      stdout: 'pipe',
      stderr: 'pipe',
      env: { ...process.env, NO_COLOR: '1' },
    },
  );
  let stdout = '';
  const decoder = new TextDecoder();
  const reading = (async () => {
    for await (const chunk of child.stdout) stdout += decoder.decode(chunk, { stream: true });
  })();
  await type(child, () => stdout);
  const [stderr] = await Promise.all([new Response(child.stderr).text(), reading]);
  return { code: await child.exited, stdout, stderr };
}

describe('mos chat', () => {
  gpuTest('a conversation through a pipe: each answer is what a fresh start gives', async () => {
    const lines = [
      '1+2',
      'and',
      '/adapter two',
      '3+4',
      '/adapter off',
      'so',
      '/reset',
      '1+2',
      '/system brief',
      '1+2',
      '/adapter three',
      '/adaptr',
      '/help',
      '/adapter',
      '',
      '/exit',
      'never read',
    ];
    const { code, stdout, stderr } = await chat(['--json', '--max-tokens', '5'], child => {
      child.stdin.write(`${lines.join('\n')}\n`);
      child.stdin.end();
    });
    expect(code, stderr).toBe(0);
    const told = stdout
      .trim()
      .split('\n')
      .map(line => JSON.parse(line));
    const turns: Message[] = [];
    const wanted: { version: number; answer: string; using: string[] }[] = [];
    const ask = async (content: string, adapter: string | undefined) => {
      turns.push({ role: 'user', content });
      const answer = await answerTo(turns, adapter, 5);
      turns.push({ role: 'assistant', content: answer });
      wanted.push({ version: 1, answer, using: adapter ? [adapter] : [] });
    };
    await ask('1+2', 'one');
    await ask('and', 'one');
    await ask('3+4', 'two');
    await ask('so', undefined);
    turns.length = 0;
    await ask('1+2', undefined);
    turns.splice(0, 2, { role: 'system', content: 'brief' });
    await ask('1+2', undefined);
    expect(told).toEqual(wanted);
    expect(stderr).toContain('answering: one; there is two');
    expect(stderr).toContain('answering: the base model alone');
    expect(stderr).toContain('there is no adapter `three`');
    expect(stderr).toContain('there is no `/adaptr`; did you mean `/adapter`?');
    expect(stderr).toContain('/reset          forget the conversation');
  });

  gpuTest('a conversation that outgrows its context forgets its oldest turns and says so', async () => {
    const { code, stdout, stderr } = await chat(['--json', '--max-tokens', '20'], child => {
      child.stdin.write('a question of some length\nanother one as long as this\nand a third one\n');
      child.stdin.end();
    });
    expect(code, stderr).toBe(0);
    expect(stdout.trim().split('\n')).toHaveLength(3);
    expect(stderr).toContain('forgotten');
  });

  gpuTest('Ctrl-C ends the answer, not the conversation', async () => {
    const { code, stdout, stderr } = await chat(['--max-tokens', '32'], async (child, out) => {
      child.stdin.write('1+2\n');
      while (out() === '') await Bun.sleep(5);
      child.kill('SIGINT');
      while (!out().includes('\n')) await Bun.sleep(5);
      child.stdin.write('/reset\n1+2\n');
      child.stdin.end();
    });
    expect(code, stderr).toBe(0);
    const [cut, whole] = stdout.split('\n');
    expect(cut).toEndWith(' …');
    expect(whole.startsWith(cut.slice(0, -2))).toBe(true);
    expect(whole.length).toBeGreaterThan(cut.length - 2);
  });
});
