/** A plan's report as a person reads it in a terminal. */

import { bytesText, flopsText } from '../report/units.ts';
import type { Difference } from './diff.ts';
import type { Moment } from './lives.ts';
import type { DispatchReport, PlanReport, ProgramReport } from './report.ts';
import { summaryText } from './summary-text.ts';

const CHART_COLUMNS = 72;
const BARS = ' ▁▂▃▄▅▆▇█';
/** Kernels listed. */
const MOST = 12;

export function reportText(report: PlanReport): string {
  const { name, format, model, requires, programs, memory, origins } = report;
  const limits = Object.entries(requires.limits).map(
    ([limit, value]) => `${limit} ${value.toLocaleString('en')}`,
  );
  return [
    `plan ${name} (${format.name} ${format.version})${model ? `, base ${model.family} in ${model.path}` : ''}`,
    `needs ${bytesText(requires.bytes)}${limits.length > 0 ? `; ${limits.join(', ')}` : " and WebGPU's default limits"}`,
    '',
    summaryText(report.summary),
    '',
    ...table(
      ['program', 'dispatches', 'kernels', 'work', 'at'],
      programs.map(p => [
        p.name,
        String(p.dispatches.length),
        String(new Set(p.dispatches.map(d => d.file)).size),
        flopsText(p.flops),
        `${p.symbols.tokens} tokens, ${p.symbols.rows} rows`,
      ]),
    ),
    '',
    `scratch memory over time: ${bytesText(memory.scratch)} allocated${memory.peak ? `, ${bytesText(memory.peak.live)} in use at ${memory.peak.program}:${memory.peak.dispatch}` : ''}`,
    ...chart(memory.moments, memory.scratch),
    '',
    ...table(
      ['from', 'dispatches', 'work', 'modules'],
      origins.map(o => [
        `${o.file}:${o.line}:${o.column}`,
        String(o.dispatches),
        flopsText(o.flops),
        String(o.modules.length),
      ]),
    ),
    '',
    ...table(
      ['kernel', 'specialisations', 'dispatches', 'work'],
      byKernel(programs)
        .slice(0, MOST)
        .map(k => [k.name, String(k.files.size), String(k.dispatches), flopsText(k.flops)]),
    ),
  ].join('\n');
}

/** Every dispatch of one program. */
export function programText({ name, dispatches, symbols }: ProgramReport): string {
  return [
    `${name}: ${dispatches.length} dispatches at ${symbols.tokens} tokens`,
    ...table(
      ['', 'kernel', 'grid', 'work', 'module', 'from'],
      dispatches.map((d, i) => [
        String(i),
        d.kernel,
        d.grid.join(' × '),
        flopsText(d.flops),
        d.module,
        d.origin,
      ]),
    ),
  ].join('\n');
}

/** Kernels by name, most work first. */
export function byKernel(
  programs: readonly ProgramReport[],
): { name: string; files: Set<string>; dispatches: number; flops: number }[] {
  const kernels = new Map<string, ReturnType<typeof byKernel>[number]>();
  const add = ({ kernel, file, flops }: DispatchReport) => {
    const k = kernels.get(kernel) ?? { name: kernel, files: new Set(), dispatches: 0, flops: 0 };
    kernels.set(kernel, k);
    k.files.add(file);
    k.dispatches++;
    k.flops += flops;
  };
  for (const { dispatches } of programs) dispatches.forEach(add);
  return [...kernels.values()].sort((a, b) => b.flops - a.flops || b.dispatches - a.dispatches);
}

/** One line of bars, the most in use within each column, over the names of the programs. */
function chart(moments: readonly Moment[], scratch: number): string[] {
  if (moments.length === 0 || scratch === 0) return [];
  const columns = Math.min(CHART_COLUMNS, moments.length);
  const at = (column: number) => Math.floor((column * moments.length) / columns);
  const bars = Array.from({ length: columns }, (_, c) => {
    const most = Math.max(...moments.slice(at(c), Math.max(at(c + 1), at(c) + 1)).map(m => m.live));
    return BARS[Math.ceil((most / scratch) * (BARS.length - 1))];
  });
  const names = new Array<string>(columns).fill(' ');
  let free = 0;
  let before: string | undefined;
  for (let c = 0; c < columns; c++) {
    const { program } = moments[at(c)];
    if (program === before || c < free || c + program.length > columns) continue;
    before = program;
    [...program].forEach((sign, i) => {
      names[c + i] = sign;
    });
    free = c + program.length + 1;
  }
  return [`  ${bars.join('')}`, `  ${names.join('').trimEnd()}`];
}

/** Columns of text; those of numbers to the right. */
export function table(head: string[], rows: string[][]): string[] {
  const right = head.map((_, c) => rows.length > 0 && rows.every(r => /^[\d.,]+( \w+)?$/.test(r[c])));
  const widths = head.map((title, c) => Math.max(title.length, ...rows.map(r => r[c].length)));
  return [head, ...rows].map(cells =>
    `  ${cells.map((cell, c) => (right[c] ? cell.padStart(widths[c]) : cell.padEnd(widths[c]))).join('  ')}`.trimEnd(),
  );
}

/** Lines under each topic: what was, → what is. */
export function differencesText(differences: readonly Difference[]): string {
  const side = (value: string | number | undefined) =>
    value === undefined ? '–' : typeof value === 'number' ? value.toLocaleString('en') : value;
  return [...new Set(differences.map(d => d.topic))]
    .map(topic =>
      [
        topic,
        ...differences
          .filter(d => d.topic === topic)
          .map(({ what, before, after }) => `  ${what}: ${side(before)} → ${side(after)}`),
      ].join('\n'),
    )
    .join('\n');
}
