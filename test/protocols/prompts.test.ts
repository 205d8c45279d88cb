/** Prompts, to the letter: one space more or less is another prompt. */
import { expect, test } from 'bun:test';
import { PROMPTS } from '../../src/protocols/index.ts';

const asked = { question: ' Two and two? ', input: '' };
const withInput = { question: 'Add.', input: '2, 2' };
const tokenizer = {
  bosText: '<s>',
  render: (messages: readonly { role: string; content: string }[], generation: boolean) =>
    JSON.stringify([messages, generation]),
};
const pad = ' '.repeat(16);

test('chat: the question as one message of the user', () => {
  expect(PROMPTS.chat.text(asked, tokenizer)).toBe('[[{"role":"user","content":" Two and two? "}],true]');
  expect(PROMPTS.chat.text(withInput, tokenizer)).toContain('"Add.\\n\\n2, 2"');
});

test('chatml: trimmed, with the system message, no start token', () => {
  expect(PROMPTS.chatml.text(asked)).toBe(
    '<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n<|im_start|>user\nTwo and two?<|im_end|>\n<|im_start|>assistant\n',
  );
  expect(PROMPTS.chatml.text(withInput)).toContain('user\nAdd.\n\nInput:\n2, 2<|im_end|>');
});

test('llm-adapters: indented, empty lines between', () => {
  expect(PROMPTS['llm-adapters'].text({ question: 'Q?', input: '' }, tokenizer)).toBe(
    [
      '<s>Below is an instruction that describes a task. Write a response that appropriately completes the request. ',
      '',
      `${pad}### Instruction:`,
      `${pad}Q?`,
      '',
      `${pad}### Response:`,
      pad,
    ].join('\n'),
  );
  const text = PROMPTS['llm-adapters'].text(withInput, tokenizer);
  expect(text).toStartWith('<s>Below is an instruction that describes a task, paired with an input that ');
  expect(text).toContain(
    `the request.\n\n${pad}### Instruction:\n${pad}Add.\n\n${pad}### Input:\n${pad}2, 2\n\n`,
  );
});

test('llm-adapters-train: indented, spaces between', () => {
  expect(PROMPTS['llm-adapters-train'].text({ question: 'Q?', input: '' }, tokenizer)).toBe(
    [
      '<s>Below is an instruction that describes a task. Write a response that appropriately completes the request.  ',
      '',
      `${pad}### Instruction:`,
      `${pad}Q?`,
      pad,
      `${pad}### Response:`,
      pad,
    ].join('\n'),
  );
});
