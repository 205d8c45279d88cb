/**
 * How a question is put to the model. The two texts of LLM-Adapters come from indented source code: every heading, and
 * the answer, stands behind sixteen spaces, and its training and test scripts differ in spaces and blank lines. A model
 * that was trained on one of them has to be asked in it.
 */
import type { Tokenizer } from '../model/tokenizer.ts';

export interface Prompt {
  about: string;
  text(question: Question, tokenizer: Pick<Tokenizer, 'render' | 'bosText'>): string;
  /** Text at which an answer ends; a token that is written so ends it, too. */
  stop?: string;
}

export interface Question {
  question: string;
  /** LLM-Adapters' `input`; empty in all of its test sets. */
  input: string;
}

const INDENT = ' '.repeat(16);
const TASK = 'Below is an instruction that describes a task';
const RESPOND = 'Write a response that appropriately completes the request.';

/** `blank`: the line before a heading other than the first; `end`: what follows the first sentences. */
const adapters =
  (blank: string, end: { plain: string; input: string }): Prompt['text'] =>
  ({ question, input }, { bosText }) => {
    const first = input
      ? `${TASK}, paired with an input that provides further context. ${RESPOND}${end.input}`
      : `${TASK}. ${RESPOND}${end.plain}`;
    const part = (name: string, text: string) => `${INDENT}### ${name}:\n${INDENT}${text}`;
    const parts = [
      part('Instruction', question),
      ...(input ? [part('Input', input)] : []),
      part('Response', ''),
    ];
    return `${bosText}${first}\n\n${parts.join(`\n${blank}\n`)}`;
  };

/** HypLoRA's: white space around the texts is dropped. */
const userText = ({ question, input }: Question): string =>
  input ? `${question.trim()}\n\nInput:\n${input.trim()}` : question.trim();

export const PROMPTS = {
  chat: {
    about: "the model's chat template, or the plain form where it has none: how `train` asks, too",
    text: ({ question, input }, tokenizer) =>
      tokenizer.render([{ role: 'user', content: input ? `${question}\n\n${input}` : question }], true),
  },
  chatml: {
    about: 'ChatML with "You are a helpful assistant.", as HypLoRA for Qwen',
    text: question =>
      `<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n<|im_start|>user\n${userText(question)}<|im_end|>\n<|im_start|>assistant\n`,
    stop: '<|im_end|>',
  },
  'llm-adapters': {
    about: 'Alpaca text, indented, as the test scripts of LLM-Adapters',
    text: adapters('', { plain: ' ', input: '' }),
    stop: '### Response:',
  },
  'llm-adapters-train': {
    about: 'Alpaca text, indented, as the training script of LLM-Adapters',
    text: adapters(INDENT, { plain: '  ', input: ' ' }),
    stop: '### Response:',
  },
} satisfies Record<string, Prompt>;

export type PromptName = keyof typeof PROMPTS;
