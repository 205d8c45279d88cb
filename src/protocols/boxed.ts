/**
 * Competition mathematics: MATH500. The answer is the last `\boxed{…}`; two answers are the same if their texts are,
 * after the normalisation of MATH (Hendrycks et al., arXiv 2103.03874), as lm-evaluation-harness has it too.
 */
import type { Protocol, Rule } from './protocol.ts';

/** Content of the last `\boxed{…}` (else `\fbox{…}`), braces balanced; of `\boxed 5` what follows up to `$`. */
export const lastBoxed: Rule = text => {
  const [, rest] = /^.*\\boxed(.*)$/s.exec(text) ?? /^.*\\fbox(.*)$/s.exec(text) ?? [];
  if (rest === undefined) return undefined;
  if (!/^\s*\{/.test(rest)) return /^\s+([^$\n]+)/.exec(rest)?.[1].trim();
  let depth = 0;
  for (const brace of rest.matchAll(/\\[\\{}]|[{}]/g)) {
    if (brace[0] === '{') depth++;
    else if (brace[0] === '}' && --depth === 0) return rest.slice(rest.indexOf('{') + 1, brace.index).trim();
  }
  // cut off before its last brace
  return undefined;
};

/** lm-evaluation-harness: without a box, what stands between `\[` and `\]`, or from the first `$` to the last; else all. */
const boxedOrMath: Rule = text => {
  if (/\\boxed|\\fbox/.test(text)) return lastBoxed(text);
  const display = /\\\[(.+?)\\\]/s.exec(text)?.[1].trim();
  const inline = /\$(.*)\$/s.exec(text)?.[1];
  return display ?? inline ?? (text || undefined);
};

/** One way to write an answer; texts that are the same afterwards are the same answer. */
export function normalise(answer: string): string {
  // The published function gives up on a text with two units: it is compared as it stands.
  if (answer.split('\\text{ ').length > 2) return answer;
  const text = answer
    .replace(/\n|\\!/g, '')
    .replaceAll('\\\\', '\\')
    .replace(/[td]frac/g, 'frac')
    .replace(/\\left|\\right/g, '')
    .replace(/\^\{\\circ\}|\^\\circ/g, '')
    .replaceAll('\\$', '')
    .replace(/\\text\{ .*$/s, '') // a unit
    .replace(/\\?%/g, '')
    .replace(/(^| |\{)\./g, '$10.')
    .replace(/^[^=]{0,2}=([^=]*)$/s, '$1') // "x = "
    .replaceAll(' ', '')
    .replace(/\\sqrt([^{])/g, '\\sqrt{$1}')
    .replace(/\\frac([^{])(.)/g, (_, over, under) => `\\frac{${over}}${under === '{' ? '{' : `{${under}}`}`)
    .replace(/^(0|-?[1-9]\d*)\/(0|-?[1-9]\d*)$/, '\\frac{$1}{$2}');
  return text === '0.5' ? '\\frac{1}{2}' : text;
}

export const BOXED = {
  math500: {
    about: 'MATH500, by the rules of MATH',
    items: 500,
    maxTokens: 512,
    decoding: 'greedy',
    rules: { 'last-boxed': lastBoxed, 'boxed-or-math': boxedOrMath },
    scoring: 'the same text after normalisation',
    same: (answer, gold) => normalise(answer) === normalise(gold),
    gold: field => field.trim() || undefined,
    ask: '\nPlease reason step by step, and put your final answer within \\boxed{}.',
  },
} satisfies Record<string, Protocol>;
