/**
 * A plan's report as one HTML page that needs nothing else: no network, no framework. Everything is in the markup; the
 * script only filters rows. Text that came from a plan is escaped, as plans travel.
 */
import { bytesText, flopsText } from '../report/units.ts';
import { escapeHtml } from './escape.ts';
import { SCRIPT, STYLE } from './page-parts.ts';
import { memoryBar, memoryChart } from './pictures.ts';
import type { DispatchReport, KernelReport, PlanReport, ProgramReport } from './report.ts';

/** Source texts by path, where they are at hand. */
type Sources = ReadonlyMap<string, string>;

const e = escapeHtml;

export function reportPage(report: PlanReport, sources: Sources = new Map()): string {
  const { name, format, model, summary, requires } = report;
  const facts: [string, string][] = [
    ['format', `${format.name} ${format.version}`],
    ['base model', model ? `${model.family}, ${model.path}` : 'none: adapters alone'],
    ['GPU memory', bytesText(requires.bytes)],
    ['limits beyond the defaults', list(Object.entries(requires.limits).map(([k, v]) => `${k} ${v}`))],
    ['trainable parameters', summary.trainable.toLocaleString('en')],
    [
      'training step',
      `${summary.step.tokens} tokens, ${summary.step.dispatches} dispatches, ${flopsText(summary.step.flops)}`,
    ],
    ['program', report.sources.program],
  ];
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${e(name)}: plan</title>
<style>${STYLE}</style>
</head>
<body>
<header><h1>${e(name)}</h1><p>a plan of mos</p></header>
<main>
<section><h2>Overview</h2>
<dl>${facts.map(([term, value]) => `<dt>${e(term)}</dt><dd>${e(value)}</dd>`).join('')}</dl>
${summary.adapters.map(a => `<p><b>${e(a.name)}</b>: ${e(a.experts.join(', '))}, on ${a.modules.length} modules</p>`).join('\n')}
</section>
<section><h2>Memory</h2>
<p>${bytesText(requires.peak.training)} to train, ${bytesText(requires.peak.generation)} to generate, ${bytesText(requires.bytes)} for both.</p>
${memoryBar(summary.memory)}
<h3>Scratch over time</h3>
<p>${scratchText(report)}</p>
${memoryChart(report.memory.moments, report.memory.scratch)}
</section>
<section><h2>From the <code>.mos</code> file</h2>
${originsTable(report, sources)}
</section>
<section id="programs"><h2>Programs</h2>
<p><label>Filter <input type="search" data-filters="programs" placeholder="kernel, module or place"></label></p>
${report.programs.map(program).join('\n')}
</section>
<section id="kernels"><h2>Kernels</h2>
<p><label>Filter <input type="search" data-filters="kernels" placeholder="name or text"></label></p>
${report.kernels.map(kernel).join('\n')}
</section>
<section id="buffers"><h2>Buffers</h2>
<p><label>Filter <input type="search" data-filters="buffers" placeholder="name or role"></label></p>
${table(
  ['buffer', 'role', 'bytes', 'content', 'first use', 'last use'],
  report.buffers.map(b => [b.name, b.role, b.bytes, b.content ?? '', b.first ?? '', b.last ?? '']),
)}
</section>
</main>
<script>${SCRIPT}</script>
</body>
</html>
`;
}

const list = (items: string[]): string => (items.length > 0 ? items.join(', ') : 'none');

function scratchText({ memory: { scratch, peak } }: PlanReport): string {
  const most = peak
    ? `, ${bytesText(peak.live)} of it in use at most, in ${e(peak.program)}, dispatch ${peak.dispatch}`
    : '';
  return `${bytesText(scratch)} allocated${most}. A buffer is in use from its first write to its last read.`;
}

function originsTable({ origins }: PlanReport, sources: Sources): string {
  return table(
    ['place', 'line', 'dispatches', 'work', 'modules'],
    origins.map(({ file, line, column, dispatches, flops, modules }) => [
      `${file}:${line}:${column}`,
      sources.get(file)?.split('\n')[line - 1]?.trim() ?? '',
      dispatches,
      flopsText(flops),
      modules.length,
    ]),
  );
}

function program({ name, symbols, flops, dispatches }: ProgramReport): string {
  const row = (d: DispatchReport, i: number) => [
    i,
    d.kernel,
    d.module,
    d.origin,
    d.grid.join(' × '),
    flopsText(d.flops),
    d.buffers.map(b => `${b.access === 'read' || b.access === 'uniform' ? '' : '→ '}${b.buffer}`).join(', '),
  ];
  const head = ['', 'kernel', 'module', 'from', 'workgroups', 'work', 'buffers (→ written)'];
  return `<details><summary><b>${e(name)}</b> ${dispatches.length} dispatches, ${flopsText(flops)} at ${symbols.tokens} tokens</summary>
${table(head, dispatches.map(row))}</details>`;
}

function kernel({ name, file, bindings, uses, lines, wgsl }: KernelReport): string {
  const bound = bindings.map(b => `${b.name}: ${b.access}`).join(', ');
  return `<details data-row><summary><b>${e(name)}</b> <code>${e(file)}</code> ${uses} uses, ${lines} lines</summary>
<p>${e(bound)}</p><pre><code>${e(wgsl)}</code></pre></details>`;
}

function table(head: string[], rows: (string | number)[][]): string {
  const cell = (value: string | number) =>
    typeof value === 'number' ? `<td class="n">${value.toLocaleString('en')}</td>` : `<td>${e(value)}</td>`;
  return `<div class="wide"><table><thead><tr>${head.map(h => `<th scope="col">${e(h)}</th>`).join('')}</tr></thead><tbody>
${rows.map(cells => `<tr data-row>${cells.map(cell).join('')}</tr>`).join('\n')}
</tbody></table></div>`;
}
