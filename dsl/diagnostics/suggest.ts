/** "Did you mean": names valid in that place that are a slip of the finger away, the nearest first. */

/** Damerau–Levenshtein distance (optimal string alignment): insert, delete, replace, swap neighbours, each 1. */
export function distance(a: string, b: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const replace = (last[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      let best = Math.min(replace, (last[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        best = Math.min(best, (beforeLast[j - 2] ?? 0) + 1);
      }
      row.push(best);
    }
    beforeLast = last;
    last = row;
  }
  return last[b.length] ?? 0;
}

/** At most four of `names`, none farther than a third of the word. */
export function suggest(word: string, names: readonly string[]): string[] {
  const limit = Math.max(1, Math.floor(word.length / 3));
  const lower = word.toLowerCase();
  return names
    .filter(name => Math.abs(name.length - word.length) <= limit)
    .map(name => ({ name, far: distance(lower, name.toLowerCase()) }))
    .filter(({ name, far }) => far <= limit && far < name.length)
    .sort((a, b) => a.far - b.far)
    .slice(0, 4)
    .map(({ name }) => name);
}

/** `a`, `b` or `c` */
export function oneOf(names: readonly string[], joiner: 'or' | 'and' = 'or'): string {
  const quoted = names.map(name => `\`${name}\``);
  const last = quoted.pop();
  return quoted.length > 0 ? `${quoted.join(', ')} ${joiner} ${last}` : (last ?? '');
}

/** Help for a word that is none of `names`: the nearest, or all of them if there are few. */
export function helpFor(word: string, names: readonly string[]): string | undefined {
  const near = suggest(word, names);
  if (near.length > 0) return `replace it with ${oneOf(near)}`;
  if (names.length === 0) return undefined;
  if (names.length <= 16) return `write ${oneOf(names)}`;
  return undefined;
}
