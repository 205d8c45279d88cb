/**
 * Loops that are written out before a driver sees them: values of an array indexed by a loop counter live in memory, and
 * each use of one costs a software GPU more than the arithmetic. A loop marked so, from 0 to a constant,
 *
 *     for (var i = 0u; i < COUNT; i++) { // @unroll
 *
 * becomes COUNT blocks with the counter's value in its place. Inner loops may be marked too.
 */

const LOOP = /^([ \t]*)for \(var (\w+) = 0u; \2 < (\w+); \2\+\+\) \{ \/\/ @unroll\n([\s\S]*?)^\1\}$/m;
const CONST = /^\s*const (\w+)(?:: u32)? = (\w+)(?: ([*/]) (\w+))?;/gm;

/** Writes every marked loop of a kernel out. Throws when a bound is not a constant of it. */
export function unroll(wgsl: string): string {
  const constants = new Map([...wgsl.matchAll(CONST)].map(match => [match[1], match]));
  const sizeOf = (word: string): number => {
    const literal = /^(\d+)u?$/.exec(word)?.[1];
    if (literal) return Number(literal);
    const [, , left, operator, right] = constants.get(word) ?? [];
    if (!left) throw new Error(`bug: a loop is unrolled up to ${word}, which is no constant`);
    if (!operator) return sizeOf(left);
    return operator === '*' ? sizeOf(left) * sizeOf(right) : Math.floor(sizeOf(left) / sizeOf(right));
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
