/** What every row measures with: contenders take turns, so that a busy machine slows all of them; medians with intervals. */

/** Runs each contender `samples` times in turns; a contender returns its milliseconds, or nothing once it cannot go on. */
export async function interleave<Name extends string>(
  contenders: Partial<Record<Name, () => Promise<number | undefined>>>,
  samples: number,
  onSample: (done: number) => void = () => {},
): Promise<Record<Name, number[]>> {
  const entries = Object.entries(contenders) as [Name, () => Promise<number | undefined>][];
  const times = Object.fromEntries(entries.map(([name]) => [name, [] as number[]])) as Record<Name, number[]>;
  for (let i = 0; i < samples; i++) {
    for (const [name, run] of entries) {
      const milliseconds = await run();
      if (milliseconds !== undefined) times[name].push(milliseconds);
    }
    onSample(i + 1);
  }
  return times;
}

/** Milliseconds that `action` takes. */
export async function clock(action: () => unknown): Promise<number> {
  const started = performance.now();
  await action();
  return performance.now() - started;
}

export interface Spread {
  median: number;
  /** 95 % confidence interval of the median, from order statistics: no shape of the distribution is assumed. */
  low: number;
  high: number;
  samples: number;
}

export function spread(values: readonly number[]): Spread {
  const sorted = values.toSorted((a, b) => a - b);
  const n = sorted.length;
  // the largest k for which fewer than k of n fair coins show heads in at most 2.5 % of all cases
  let k = 0;
  for (let term = 0.5 ** n, below = term; k < n / 2 && below <= 0.025; k++) {
    term *= (n - k) / (k + 1);
    below += term;
  }
  const at = Math.max(0, k - 1);
  const middle = n >> 1;
  const median = n % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
  return { median, low: sorted[at], high: sorted[n - 1 - at], samples: n };
}

/** Spread of the ratios of samples taken in the same turn. */
export function ratio(above: readonly number[], below: readonly number[]): Spread {
  const pairs = Math.min(above.length, below.length);
  return spread(above.slice(0, pairs).map((value, i) => value / below[i]));
}

/** `1.02 (0.98 to 1.06)`. */
export function show({ median, low, high }: Spread, digits = 2): string {
  return `${median.toFixed(digits)} (${low.toFixed(digits)} to ${high.toFixed(digits)})`;
}
