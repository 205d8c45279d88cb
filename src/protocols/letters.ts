/** Multiple choice by letter: AQuA. Each publication reads the letter in its own way. */
import type { Protocol, Rule } from './protocol.ts';

/** LLM-Adapters: the first capital A to E, wherever it stands, in a word as well. */
const firstLetter: Rule = text => /[A-E]/.exec(text)?.[0];

/** The last match of the first pattern that matches at all. */
const lastOf =
  (...patterns: RegExp[]): Rule =>
  text => {
    for (const pattern of patterns) {
      const last = [...text.matchAll(pattern)].at(-1);
      if (last) return last[1];
    }
    return undefined;
  };

const PARENTHESIS = /\(?([A-E])\)/g;

/** HypLoRA since February 2026. */
const lastOption = lastOf(
  /\\boxed\{\\text\{\(?([A-E])\)?\}\}/g,
  /\\boxed\{\(?([A-E])\)?\}/g,
  PARENTHESIS,
  // case is ignored in the letter as well, so that "answer is a …" is a wrong answer, not none
  /answer is[:\s]+\(?([A-E])\)?/gi,
  /is[:\s]+([A-E])\.?\s*$/g,
  /[Oo]ption\s+\(?([A-E])\)?/g,
);

/** HypLoRA before. */
const lastParenthesis = lastOf(PARENTHESIS, /correct answer is\s+([A-E])/gi);

export const LETTERS = {
  aqua: {
    about: 'AQuA, as HypLoRA (`first-letter`: as LLM-Adapters)',
    items: 254,
    maxTokens: 512,
    decoding: '4 beams',
    rules: { 'last-option': lastOption, 'last-parenthesis': lastParenthesis, 'first-letter': firstLetter },
    scoring: 'the same letter',
    same: (answer, gold) => answer === gold,
    gold: field => (/^[A-E]$/.test(field) ? field : undefined),
  },
} satisfies Record<string, Protocol>;
