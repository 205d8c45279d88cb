/**
 * The `exact` metric: the answer is taken out of the generated text by one fixed rule and compared with the reference.
 * Results are counts with a Wilson 95 % interval, since test sets of a few hundred items decide little beyond it.
 */

const ANNOUNCEMENT = /the answer is/gi;
/** A full stop that does not stand inside a number ends the answer; so does a line break. */
const END = /\.(?!\d)|[\r\n]/;
const NUMBER = /^[-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:e[-+]?\d+)?$/i;
const TOLERANCE = 1e-3;

/**
 * The text after the last "The answer is" (any case) up to a full stop or line break, trimmed, a leading colon dropped.
 * Without the phrase: the first line that is not blank, by the same rule.
 */
export function extractAnswer(text: string): string {
  let start = 0;
  for (const match of text.matchAll(ANNOUNCEMENT)) start = match.index + match[0].length;
  const rest = text.slice(start).replace(/^[\s:]+/, '');
  const end = END.exec(rest);
  return (end ? rest.slice(0, end.index) : rest).trim();
}

/** Numbers agree within 1e-3, thousands separators dropped; anything else if it is the same text in lower case. */
export function sameAnswer(given: string, reference: string): boolean {
  const a = toNumber(given);
  const b = toNumber(reference);
  // The margin is a hair wider than the rule, so that 2.001 and 2 agree although their float difference is 0.00100000000000011.
  if (a !== undefined && b !== undefined) return a === b || Math.abs(a - b) <= TOLERANCE * (1 + 1e-9);
  return given.trim().toLowerCase() === reference.trim().toLowerCase();
}

function toNumber(text: string): number | undefined {
  const plain = text.trim().replaceAll(',', '');
  return NUMBER.test(plain) ? Number(plain) : undefined;
}

/** Whether a generated text gives the reference answer. */
export function isExact(generated: string, reference: string): boolean {
  return sameAnswer(extractAnswer(generated), reference);
}

export interface Score {
  correct: number;
  total: number;
  /** correct / total; 0 for an empty set. */
  accuracy: number;
  /** Wilson 95 % interval of the accuracy; [0, 1] for an empty set. */
  low: number;
  high: number;
}

/** Accuracy with its Wilson score interval (E. B. Wilson, 1927). */
export function summarise(correct: number, total: number): Score {
  if (total === 0) return { correct, total, accuracy: 0, low: 0, high: 1 };
  const z = 1.959963984540054;
  const p = correct / total;
  const scale = 1 + z ** 2 / total;
  const centre = (p + z ** 2 / (2 * total)) / scale;
  const half = (z * Math.sqrt((p * (1 - p)) / total + z ** 2 / (4 * total ** 2))) / scale;
  return {
    correct,
    total,
    accuracy: p,
    low: correct === 0 ? 0 : Math.max(0, centre - half),
    high: correct === total ? 1 : Math.min(1, centre + half),
  };
}

/** Scores generated texts against their references. */
export function scoreExact(pairs: readonly { generated: string; reference: string }[]): Score {
  return summarise(pairs.filter(pair => isExact(pair.generated, pair.reference)).length, pairs.length);
}
