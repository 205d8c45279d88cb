/** Word problems with a number for an answer: SVAMP, MAWPS, GSM8K. Rule and tolerance of LLM-Adapters and HypLoRA. */
import type { Protocol, Rule } from './protocol.ts';

const TOLERANCE = 0.001;
const NUMBER = /-?\d+\.?\d*/g;

/** The last number of the text, thousands separators dropped first. */
const lastNumber: Rule = text => text.replaceAll(',', '').match(NUMBER)?.at(-1);

/** The first number after the last "answer is", else none: what a text only computes does not count. */
const announced: Rule = text => {
  const at = text.toLowerCase().lastIndexOf('answer is');
  return at < 0 ? undefined : text.slice(at).replaceAll(',', '').match(NUMBER)?.[0];
};

const family = {
  maxTokens: 512,
  decoding: '4 beams',
  rules: { 'last-number': lastNumber, announced },
  scoring: `|Δ| ≤ ${TOLERANCE}`,
  same: (answer, gold) => Math.abs(Number(answer) - Number(gold)) <= TOLERANCE,
  /** A number, or GSM8K's own "rationale #### number". */
  gold(field) {
    const text = field.slice(field.lastIndexOf('####') + 1).replace(/[#,\s]/g, '');
    return text !== '' && Number.isFinite(Number(text)) ? text : undefined;
  },
} satisfies Omit<Protocol, 'about' | 'items'>;

export const NUMBERS = {
  svamp: { ...family, about: 'SVAMP, as LLM-Adapters and HypLoRA', items: 1000 },
  mawps: { ...family, about: 'MAWPS, as HypLoRA', items: 238 },
  gsm8k: { ...family, about: 'GSM8K, as LLM-Adapters and HypLoRA', items: 1319 },
} satisfies Record<string, Protocol>;
