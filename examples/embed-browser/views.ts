/** The two pictures of the page: the loss by step, and the spaces that tokens went to. */
import { meanRoutes, type SiteRoutes } from 'mos/web';

const WIDTH = 600;
const HEIGHT = 200;
const LEFT = 48;
const FOOT = 20;
/** Colours in the style sheet. */
const COLOURS = 6;

function svg(name: string, attributes: Record<string, string | number>, text = ''): SVGElement {
  const element = document.createElementNS('http://www.w3.org/2000/svg', name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, String(value));
  element.textContent = text;
  return element;
}

/** Draws the losses of the steps so far, of `steps`. */
export function drawLosses(plot: SVGSVGElement, losses: readonly number[], steps: number): void {
  const [low, high] = [Math.min(...losses), Math.max(...losses)];
  const span = high - low || 1;
  const x = (step: number) => LEFT + ((WIDTH - LEFT - 4) * step) / Math.max(steps, 1);
  const y = (loss: number) => 8 + (HEIGHT - FOOT - 16) * (1 - (loss - low) / span);
  const points = losses.map((loss, i) => `${x(i + 1).toFixed(1)},${y(loss).toFixed(1)}`).join(' ');
  const bottom = HEIGHT - FOOT;
  plot.replaceChildren(
    svg('line', { class: 'axis', x1: LEFT, x2: WIDTH, y1: bottom, y2: bottom }),
    svg('line', { class: 'axis', x1: LEFT, x2: LEFT, y1: 0, y2: bottom }),
    svg('text', { x: LEFT - 6, y: y(high) + 4, 'text-anchor': 'end' }, high.toFixed(2)),
    ...(high > low
      ? [svg('text', { x: LEFT - 6, y: y(low) + 4, 'text-anchor': 'end' }, low.toFixed(2))]
      : []),
    svg('text', { x: WIDTH, y: HEIGHT - 4, 'text-anchor': 'end' }, `step ${steps}`),
    svg('polyline', { class: 'loss', points }),
  );
}

/** Spaces in the order of their first appearance; the order gives the colour. */
export const spacesOf = (sites: readonly SiteRoutes[]): string[] => [
  ...new Set(sites.flatMap(s => s.spaces)),
];

const colourOf = (spaces: readonly string[], space: string): string =>
  `var(--space-${spaces.indexOf(space) % COLOURS})`;

/** Tokens in the colour of the space that most of them went to, the stronger the more; the rest is in the tooltip. */
export function drawTokens(
  into: HTMLElement,
  tokens: readonly string[],
  sites: readonly SiteRoutes[],
  module: string | undefined,
): void {
  const spaces = spacesOf(sites);
  const routes = meanRoutes(sites, module);
  into.replaceChildren(
    ...tokens.map((token, t) => {
      const span = document.createElement('span');
      span.textContent = token;
      const ranked = [...(routes[t] ?? [])].sort(([, a], [, b]) => b - a);
      const [first] = ranked;
      if (!first || first[1] === 0) return span;
      span.className = 'token';
      span.dataset.space = first[0];
      span.style.setProperty('--space', colourOf(spaces, first[0]));
      span.style.setProperty('--weight', first[1].toFixed(2));
      span.title = ranked.map(([space, weight]) => `${space} ${(100 * weight).toFixed(0)} %`).join(', ');
      return span;
    }),
  );
}

export function drawLegend(into: HTMLElement, spaces: readonly string[]): void {
  into.replaceChildren(
    ...spaces.map(space => {
      const item = document.createElement('li');
      const name = document.createElement('span');
      name.className = 'token';
      name.textContent = space;
      name.style.setProperty('--space', colourOf(spaces, space));
      name.style.setProperty('--weight', '1');
      item.append(name);
      return item;
    }),
  );
}
