/** One test per numbered fault, and a table of them at the end of the run. */
import { afterAll, test } from 'bun:test';

/** `MOS_NIGHTLY=1` runs the long forms: more kills, more inputs, longer soaks. */
export const NIGHTLY = process.env.MOS_NIGHTLY === '1';
const LIMIT_MS = NIGHTLY ? 6 * 3600_000 : 240_000;

type Outcome = 'passed' | 'FAILED' | 'not run' | 'no GPU' | 'does not apply';
const table = new Map<number, { title: string; outcome: Outcome }>();

/** Fault `number` and the good behaviour. */
export function fault(number: number, title: string, run: () => void | Promise<void>): void {
  if (table.has(number)) throw new Error(`fault ${number} is listed twice`);
  table.set(number, { title, outcome: 'not run' });
  const tried = async () => {
    table.get(number)!.outcome = 'FAILED';
    await run();
    table.get(number)!.outcome = 'passed';
  };
  test(`fault ${number}: ${title}`, tried, LIMIT_MS);
}

/** A fault that needs a device, on a machine without one. */
export function withoutGpu(number: number, title: string): void {
  table.set(number, { title, outcome: 'no GPU' });
  test.skip(`fault ${number}: ${title} (no GPU adapter)`, () => {});
}

export function cannotHappen(number: number, title: string, why: string): void {
  table.set(number, { title: `${title}: ${why}`, outcome: 'does not apply' });
  test.skip(`fault ${number}: ${title}: ${why}`, () => {});
}

/** Numbers that no test carries. */
export const missing = (count: number): number[] =>
  Array.from({ length: count }, (_, i) => i + 1).filter(number => !table.has(number));

afterAll(() => {
  const rows = [...table].sort(([a], [b]) => a - b);
  const lines = rows.map(
    ([n, { title, outcome }]) => `${String(n).padStart(3)}  ${outcome.padEnd(14)}  ${title}`,
  );
  process.stdout.write(`\n${lines.join('\n')}\n`);
});
