/**
 * Names of variants: readable, unique, and safe as names of folders on every system, with no sign that a shell reads.
 * `experts: [[hyperbolic(c=0.1), euclid]]` with `seed: [2]` is `experts=hyperbolic-c-0.1+euclid,seed=2`.
 */

/** File systems allow 255 bytes; what is put beside a variant has a longer name than the variant. */
const MAX_NAME = 160;

/** A value in letters, digits and `.+-_`. Commas between values become `+`, those inside parentheses `-`. */
function slug(text: string): string {
  let depth = 0;
  let out = '';
  for (const sign of text.replace(/\s+/g, '')) {
    if (sign === '(') depth++;
    else if (sign === ')') depth--;
    if (/[\w.]/.test(sign)) out += sign;
    else if (sign === '%') out += 'pct';
    else if (sign === '*') out += 'x';
    else if (sign === ',') out += depth > 0 ? '-' : '+';
    else if (/[-(=/]/.test(sign)) out += '-';
    else if (!/[)[\]"$]/.test(sign)) out += '_';
  }
  return out.replace(/[.]+$/, '') || '_';
}

export function nameOf(label: string | undefined, settings: { field: string; value: string }[]): string {
  const parts = settings.map(({ field, value }) => `${slug(field)}=${slug(value)}`);
  const name = [...(label === undefined ? [] : [slug(label)]), ...parts].join(',');
  return name.length > MAX_NAME ? `${name.slice(0, MAX_NAME)}~` : name;
}

/** `name`, or `name~2` and so on where it is taken; letters count the same in either case. */
export function uniqueName(name: string, taken: Set<string>): string {
  let unique = name;
  for (let n = 2; taken.has(unique.toLowerCase()); n++) unique = `${name}~${n}`;
  taken.add(unique.toLowerCase());
  return unique;
}

/**
 * Does a pattern select a variant? It is a list of parts with commas, each of which must match one part of the name;
 * `*` and `?` stand for anything. So `seed=2`, `experts=*sphere*,lr=1e-3`, a sweep's name, and a whole name all work.
 */
export function matchesVariant(pattern: string, name: string): boolean {
  if (pattern === name) return true;
  const parts = name.split(',');
  return pattern.split(',').every(wanted => {
    const source = wanted
      .replace(/[.+^${}()|[\]\\]/g, '\\$&')
      .replaceAll('*', '.*')
      .replaceAll('?', '.');
    const expression = new RegExp(`^${source}$`, 'i');
    return parts.some(part => expression.test(part));
  });
}
