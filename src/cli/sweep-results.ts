/** The results of a sweep as one table: text for the terminal, Markdown for a page, JSON for a program. */
import type { Setting } from '../../dsl/index.ts';
import type { TrainResult } from '../run/train.ts';

export interface Row {
  name: string;
  sweep?: string;
  settings: Setting[];
  /** `pending`: not run, or stopped half-way. */
  state: 'done' | 'failed' | 'pending';
  result?: TrainResult;
  problem?: string;
}

const NONE = '–';

const lossText = (loss: number | null | undefined): string =>
  typeof loss === 'number' && Number.isFinite(loss) ? loss.toFixed(4) : NONE;

/** Header and cells; columns that no row fills are left out. */
function tableOf(rows: Row[]): string[][] {
  const unique = (names: string[]) => [...new Set(names)];
  const fields = unique(rows.flatMap(({ settings }) => settings.map(({ field }) => field)));
  const evals = unique(rows.flatMap(({ result }) => (result?.evaluations ?? []).map(({ name }) => name)));
  const columns: [string, (row: Row) => string | undefined][] = [
    ['sweep', ({ sweep }) => sweep],
    ...fields.map((field): [string, (row: Row) => string | undefined] => [
      field,
      ({ settings }) => settings.find(one => one.field === field)?.value,
    ]),
    ['loss', ({ result }) => result && lossText(result.loss)],
    [
      'validation',
      ({ result }) => (result?.validation === undefined ? undefined : lossText(result.validation)),
    ],
    ...evals.map((name): [string, (row: Row) => string | undefined] => [
      name,
      ({ result }) => {
        const score = result?.evaluations.find(one => one.name === name)?.after;
        return score && `${score.correct}/${score.total} (${(100 * score.accuracy).toFixed(1)} %)`;
      },
    ]),
    ['seconds', ({ result }) => result?.seconds.toFixed(0)],
    ['problem', ({ state, problem }) => (state === 'done' ? undefined : (problem ?? 'not run to its end'))],
  ];
  const filled = columns.map(([title, cell]) => [title, ...rows.map(row => cell(row) ?? NONE)]);
  const kept = filled.filter(([, ...cells]) => cells.some(cell => cell !== NONE));
  return [0, ...rows.map((_, i) => i + 1)].map(i => kept.map(column => column[i] ?? NONE));
}

const NUMERIC = /^[\d.]+$|^\d+\/\d+ |^–$/;

export function resultsText(rows: Row[]): string {
  const table = tableOf(rows);
  const widths = (table[0] ?? []).map((_, column) => Math.max(...table.map(row => row[column]?.length ?? 0)));
  const right = widths.map((_, column) => table.slice(1).every(row => NUMERIC.test(row[column] ?? '')));
  return table
    .map(row =>
      row
        .map((cell, i) => (right[i] ? cell.padStart(widths[i] ?? 0) : cell.padEnd(widths[i] ?? 0)))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

export function resultsMarkdown(rows: Row[]): string {
  const line = (cells: string[]) =>
    `| ${cells.map(cell => cell.replaceAll('|', '\\|').replace(/\s+/g, ' ')).join(' | ')} |`;
  const [header = [], ...body] = tableOf(rows);
  return `${[line(header), line(header.map(() => '---')), ...body.map(line)].join('\n')}\n`;
}

export function resultsJson(
  program: string,
  rows: Row[],
): { version: 1; program: string; variants: unknown[] } {
  const variants = rows.map(({ name, sweep, settings, state, problem, result }) => ({
    name,
    ...(sweep !== undefined && { sweep }),
    settings: Object.fromEntries(settings.map(({ field, value }) => [field, value])),
    state,
    ...(problem !== undefined && { problem }),
    ...(result && {
      steps: result.steps,
      loss: result.loss,
      ...(result.validation !== undefined && { validation: result.validation }),
      seconds: result.seconds,
      evaluations: result.evaluations,
    }),
  }));
  return { version: 1, program, variants };
}
