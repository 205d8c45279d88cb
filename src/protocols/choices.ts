/** Commonsense questions in the form LLM-Adapters gave them: the answer is one of a few words such as `answer3`. */
import type { Protocol } from './protocol.ts';

/** `words`: a regular expression. The first match counts, in lower case only. */
const choice = (about: string, items: number, words: string): Protocol => ({
  about: `${about}, as LLM-Adapters and HypLoRA`,
  items,
  maxTokens: 32,
  decoding: '4 beams',
  rules: { 'first-choice': text => new RegExp(words).exec(text)?.[0] },
  scoring: 'the same word',
  same: (answer, gold) => answer === gold,
  gold: field => (new RegExp(`^(${words})$`).test(field) ? field : undefined),
});

export const CHOICES = {
  boolq: choice('BoolQ', 3270, 'true|false'),
  piqa: choice('PIQA', 1838, 'solution[12]'),
  siqa: choice('SIQA', 1954, 'answer[1-5]'),
  hellaswag: choice('HellaSwag', 10042, 'ending[1-4]'),
  winogrande: choice('WinoGrande', 1267, 'option[12]'),
  'arc-e': choice('ARC-Easy', 2376, 'answer[1-5]'),
  'arc-c': choice('ARC-Challenge', 1172, 'answer[1-5]'),
  obqa: choice('OpenBookQA', 500, 'answer[1-5]'),
} satisfies Record<string, Protocol>;
