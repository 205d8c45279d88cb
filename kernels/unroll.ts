/**
 * Loops that are written out before a driver sees them: values of an array indexed by a loop counter live in memory, and
 * each use of one costs a software GPU more than the arithmetic. A loop marked so, from 0 to a constant,
 *
 *     for (var i = 0u; i < COUNT; i++) { // @unroll
 *
 * becomes COUNT blocks with the counter's value in its place. Inner loops may be marked too.
 */

const LOOP = /^([ \t]*)for \(var (\w+) = 0u; \2 < (\w+); \2\+\+\) \{ \/\/ @unroll\n([\s\S]*?)^\1\}$/m;
const CONST = /^\s*const (\w+)(?:: u32)? = ([\w\s()+*/]+);/gm;

/** Writes every marked loop of a kernel out. Throws when a bound is not a constant of it. */
export function unroll(wgsl: string): string {
  const constants = new Map([...wgsl.matchAll(CONST)].map(([, name, expression]) => [name, expression]));
  /** Of sums, products and quotients of literals and constants. */
  const sizeOf = (expression: string): number => {
    let flat = expression;
    while (flat.includes('(')) flat = flat.replace(/\(([^()]+)\)/, (_, part: string) => `${sizeOf(part)}`);
    return flat.split('+').reduce((sum, term) => sum + productOf(term), 0);
  };
  const productOf = (term: string): number => {
    const [first, ...rest] = term.split(/\s*([*/])\s*/);
    let value = wordOf(first.trim());
    for (let i = 0; i < rest.length; i += 2) {
      const next = wordOf(rest[i + 1].trim());
      value = rest[i] === '*' ? value * next : Math.floor(value / next);
    }
    return value;
  };
  const wordOf = (word: string): number => {
    if (/^\d+u?$/.test(word)) return Number.parseInt(word, 10);
    const expression = constants.get(word);
    if (!expression) throw new Error(`bug: a loop is unrolled up to ${word}, which is no constant`);
    return sizeOf(expression);
  };
  let text = wgsl;
  for (let loop = LOOP.exec(text); loop; loop = LOOP.exec(text)) {
    const [whole, indent, counter, bound, body] = loop;
    const copies = Array.from(
      { length: sizeOf(bound) },
      (_, i) => `${indent}{\n${body.replaceAll(new RegExp(`\\b${counter}\\b`, 'g'), `${i}u`)}${indent}}`,
    );
    text = text.slice(0, loop.index) + copies.join('\n') + text.slice(loop.index + whole.length);
  }
  return text;
}
