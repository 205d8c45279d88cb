/** The pictures of a plan's page, as SVG and plain elements: memory by role, and scratch memory over the timeline. */
import { bytesText } from '../report/units.ts';
import { escapeHtml } from './escape.ts';
import type { Moment } from './lives.ts';

const WIDTH = 1000;
const HEIGHT = 200;
/** Room for the names of programs beneath, and for the scale at the left. */
const FOOT = 34;
const LEFT = 70;
/** Points drawn; a long timeline shows the most in use within each. */
const POINTS = 900;

/** One bar, with what each role takes of it. */
export function memoryBar(memory: Partial<Record<string, number>>): string {
  const roles = Object.entries(memory)
    .map(([role, bytes = 0]) => ({ role, bytes }))
    .sort((a, b) => b.bytes - a.bytes);
  const total = roles.reduce((sum, { bytes }) => sum + bytes, 0);
  let x = 0;
  const parts = roles.map(({ role, bytes }, i) => {
    const width = (bytes / total) * WIDTH;
    const part = `<rect x="${round(x)}" y="0" width="${round(width)}" height="26" fill="var(--c${i % 10})"><title>${escapeHtml(role)}: ${bytesText(bytes)}</title></rect>`;
    x += width;
    return part;
  });
  const keys = roles.map(
    ({ role, bytes }, i) =>
      `<span><span class="key" style="background: var(--c${i % 10})"></span>${escapeHtml(role)} ${bytesText(bytes)}</span>`,
  );
  return `<figure><svg viewBox="0 0 ${WIDTH} 26" role="img" aria-label="memory by role" preserveAspectRatio="none">${parts.join('')}</svg>
<figcaption>${keys.join('')}</figcaption></figure>`;
}

/** What is in use at every dispatch, beneath the line of what is allocated; programs are bands. */
export function memoryChart(moments: readonly Moment[], scratch: number): string {
  if (moments.length === 0 || scratch === 0) return '<p>This plan needs no scratch memory.</p>';
  const inner = WIDTH - LEFT;
  const x = (at: number) => round(LEFT + (at / moments.length) * inner);
  const y = (bytes: number) => round(HEIGHT - (bytes / scratch) * (HEIGHT - 12));
  const step = Math.max(1, Math.ceil(moments.length / POINTS));
  const outline: string[] = [];
  for (let at = 0; at < moments.length; at += step) {
    const most = Math.max(...moments.slice(at, at + step).map(m => m.live));
    outline.push(`${x(at)},${y(most)}`, `${x(Math.min(at + step, moments.length))},${y(most)}`);
  }
  const bands = programBands(moments).map(({ name, from, to, most }, i) => {
    const middle = (Number(x(from)) + Number(x(to))) / 2;
    const wide = (to - from) / moments.length > 0.05;
    return `<g><title>${escapeHtml(name)}: ${to - from} dispatches, ${bytesText(most)} in use at most</title>
<rect x="${x(from)}" y="0" width="${round(((to - from) / moments.length) * inner)}" height="${HEIGHT}" fill="var(--line)" fill-opacity="${i % 2 === 0 ? 0.35 : 0}"/>
${wide ? `<text x="${round(middle)}" y="${HEIGHT + 16}" text-anchor="middle">${escapeHtml(name)}</text>` : ''}</g>`;
  });
  return `<figure><svg viewBox="0 0 ${WIDTH} ${HEIGHT + FOOT}" role="img" aria-label="scratch memory in use at every dispatch">
${bands.join('\n')}
<polygon points="${x(0)},${HEIGHT} ${outline.join(' ')} ${x(moments.length)},${HEIGHT}" fill="var(--c0)" fill-opacity="0.7" pointer-events="none"/>
<line x1="${LEFT}" x2="${WIDTH}" y1="${y(scratch)}" y2="${y(scratch)}" stroke="var(--soft)" stroke-dasharray="4 3"/>
<text x="${LEFT - 6}" y="${Number(y(scratch)) + 4}" text-anchor="end">${bytesText(scratch)}</text>
<text x="${LEFT - 6}" y="${HEIGHT}" text-anchor="end">0</text>
<text x="${LEFT}" y="${HEIGHT + 30}">dispatches, program after program</text>
</svg></figure>`;
}

function programBands(
  moments: readonly Moment[],
): { name: string; from: number; to: number; most: number }[] {
  const bands: ReturnType<typeof programBands> = [];
  for (const [at, { program, live }] of moments.entries()) {
    const last = bands.at(-1);
    if (last?.name === program) {
      last.to = at + 1;
      last.most = Math.max(last.most, live);
    } else bands.push({ name: program, from: at, to: at + 1, most: live });
  }
  return bands;
}

const round = (value: number): string => String(Math.round(value * 10) / 10);
