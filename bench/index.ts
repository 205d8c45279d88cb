/**
 * `bun run bench [--rows 1,3,5] [--quick]`: measures, beside the peers that are there, and writes the tables to
 * bench/results/DEVICE.md and .json. Rows that were not asked for keep their last figures.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { describe, openDevice } from '../src/gpu/device.ts';
import { applyInProcess } from '../src/host/environment.ts';
import { runtime, webgpuVersion } from '../src/run/checkpoint-state.ts';
import { Bench, type Outcome, type Row, type Target } from './row.ts';

/** Row 6 looks at the memory of this process, so it comes before anything has used much of it. */
const ROWS: [number: number, load: () => Promise<{ row: Row }>][] = [
  [6, () => import('./memory.ts')],
  [1, () => import('./linear.ts')],
  [2, () => import('./matrix.ts')],
  [3, () => import('./dispatch.ts')],
  [4, () => import('./whole-step.ts')],
  [5, () => import('./step.ts')],
  [7, () => import('./busy.ts')],
  [8, () => import('./agreement.ts')],
  [9, () => import('./precision-row.ts')],
  [10, () => import('./start.ts')],
  [11, () => import('./drift.ts')],
  [12, () => import('./software.ts')],
];

interface Kept extends Outcome {
  number: number;
  title: string;
  command: string;
  seconds: number;
  commit: string;
}

interface Results {
  device: string;
  driver: string;
  software: boolean;
  processor: string;
  versions: string;
  rows: Kept[];
}

const { values } = parseArgs({
  options: { rows: { type: 'string' }, quick: { type: 'boolean' }, out: { type: 'string' } },
});
const wanted = values.rows?.split(',').map(Number);
await applyInProcess();
const opened = await openDevice();
const device = describe(opened.info);
const base = {
  device,
  driver: opened.info.description,
  software: opened.software,
  processor: `${cpus()[0]?.model ?? 'unknown'}, ${cpus().length} cores`,
  versions: `${runtime()}, webgpu ${webgpuVersion()}`,
};
opened.close();

const folder = values.out ?? join(import.meta.dirname, 'results');
const path = join(folder, device.toLowerCase().replace(/[^a-z0-9]+/g, '-'));
const before = existsSync(`${path}.json`)
  ? (JSON.parse(readFileSync(`${path}.json`, 'utf8')) as Results)
  : undefined;
const results: Results = { ...base, rows: before?.rows ?? [] };
const note = (text: string) => process.stderr.write(`    ${text}\n`);
const bench = new Bench(base.software, values.quick ?? false, note);

for (const [number, load] of ROWS) {
  if (wanted && !wanted.includes(number)) continue;
  const { row } = await load();
  process.stderr.write(`${row.number}. ${row.title}\n`);
  const started = performance.now();
  const outcome = await row.run(bench).catch(
    (error: unknown): Outcome => ({
      tables: [],
      skipped: [`failed: ${error instanceof Error ? error.message : error}`],
    }),
  );
  bench.closeRow();
  const seconds = Math.round((performance.now() - started) / 1000);
  const command = `bun run bench --rows ${row.number}${values.quick ? ' --quick' : ''}`;
  const kept: Kept = { number: row.number, title: row.title, command, seconds, commit: commit(), ...outcome };
  results.rows = [...results.rows.filter(r => r.number !== row.number), kept].sort(
    (a, b) => a.number - b.number,
  );
  console.log(`${rowText(kept)}\n`);
  mkdirSync(folder, { recursive: true });
  writeFileSync(`${path}.json`, `${JSON.stringify(results, null, 1)}\n`);
  writeFileSync(`${path}.md`, document(results));
}
await bench.closePeers();
process.exit(0);

function commit(): string {
  try {
    return execFileSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8' }).trim();
  } catch {
    return 'unknown';
  }
}

function rowText({ number, title, command, seconds, commit: at, tables, targets, skipped }: Kept): string {
  const lines = [`## ${number}. ${title}`, '', `\`${command}\`, ${seconds} s, at ${at}`];
  for (const { title: name, head, rows } of tables) lines.push('', `${name}:`, '', tableText(head, rows));
  if (targets?.length)
    lines.push('', tableText(['target', 'wanted', 'measured', ''], targets.map(targetRow)));
  for (const why of skipped ?? []) lines.push('', `Not measured: ${why}`);
  return lines.join('\n');
}

function targetRow({ name, wanted: least, measured, met }: Target): string[] {
  return [name, least, measured, met === undefined ? 'cannot be said here' : met ? 'met' : 'missed'];
}

function tableText(head: string[], rows: (string | number)[][]): string {
  const line = (cells: (string | number)[]) => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}

function document(all: Results): string {
  return `# ${all.device}

${all.driver}; ${all.processor}; ${all.versions}. Medians with 95 % intervals of the median; contenders of a table took turns.

${all.rows.map(rowText).join('\n\n')}
`;
}
