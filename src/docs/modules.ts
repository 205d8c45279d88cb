/** Modules an adapter matches, in a few lines: a name and its layers instead of a path for each. */

/** `0, 1, 2, 4` → `0..2, 4`. Ascending. */
function ranges(numbers: number[]): string {
  const runs: [number, number][] = [];
  for (const n of numbers) {
    const last = runs.at(-1);
    if (last && n === last[1] + 1) last[1] = n;
    else runs.push([n, n]);
  }
  return runs.map(([first, last]) => (first === last ? `${first}` : `${first}..${last}`)).join(', ');
}

export const countModules = (count: number): string => `matches ${count} module${count === 1 ? '' : 's'}`;

export function describeModules(paths: string[]): string[] {
  const byName = new Map<string, number[]>();
  const others: string[] = [];
  for (const path of paths) {
    const match = /\blayers\.(\d+)\.(.+)$/.exec(path);
    if (!match) others.push(path);
    else byName.set(match[2], [...(byName.get(match[2]) ?? []), Number(match[1])]);
  }
  const lines = [...byName].map(([name, layers]) => {
    const all = [...new Set(layers)].sort((a, b) => a - b);
    return `  ${name} in layer${all.length === 1 ? '' : 's'} ${ranges(all)}`;
  });
  return [countModules(paths.length), ...lines, ...others.map(path => `  ${path}`)];
}
