/**
 * The time of a step as a picture, a self-contained SVG: program over layer over module over kernel, each as wide as its
 * share. Hovering says what it is and which line of the `.mos` file it comes from.
 */
import type { Profile, Timed } from './profile.ts';

interface Node {
  name: string;
  milliseconds: number;
  dispatches: number;
  flops: number;
  places: Set<string>;
  children: Map<string, Node>;
}

const WIDTH = 1200;
const ROW = 22;
const TOP = 34;
/** Narrower boxes than this cannot be seen, nor their names read. */
const VISIBLE = 0.3;
const LETTER = 6.6;
const COLOURS = ['#f2c14e', '#f78154', '#5fad56', '#4d9078', '#8e7dbe', '#6ea4bf', '#d77a9b', '#a3b18a'];

/** `model.layers.3.mlp.up_proj` is layer 3, module mlp.up_proj; what belongs to no layer stands for itself. */
function pathOf({ program, module, kernel }: Timed): string[] {
  const [, layer, rest] = /layers\.(\d+)\.(.*)$/.exec(module) ?? [];
  return [program, ...(layer ? [`layer ${layer}`, rest] : [module, module]), kernel];
}

function tree(dispatches: Timed[]): Node {
  const node = (name: string): Node => ({
    name,
    milliseconds: 0,
    dispatches: 0,
    flops: 0,
    places: new Set(),
    children: new Map(),
  });
  const root = node('step');
  for (const timed of dispatches) {
    let at = root;
    for (const name of ['', ...pathOf(timed)]) {
      if (name) {
        if (!at.children.has(name)) at.children.set(name, node(name));
        at = at.children.get(name)!;
      }
      at.milliseconds += timed.milliseconds;
      at.dispatches++;
      at.flops += timed.flops;
      at.places.add(timed.place);
    }
  }
  return root;
}

/** One colour for each kernel, whatever else is in the picture; everything above kernels is grey. */
function colourOf(name: string): string {
  let hash = 0;
  for (const letter of name.split('.')[0]) hash = (hash * 31 + letter.charCodeAt(0)) >>> 0;
  return COLOURS[hash % COLOURS.length];
}

const SIGNS: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };
const quoted = (text: string) => text.replace(/[&<>"]/g, sign => SIGNS[sign]);

export function picture({ device, method, tokens, dispatches }: Profile): string {
  const root = tree(dispatches);
  const boxes: string[] = [];
  let depth = 0;
  const draw = (node: Node, x: number, level: number) => {
    const width = (WIDTH * node.milliseconds) / root.milliseconds;
    if (width < VISIBLE) return;
    depth = Math.max(depth, level);
    const y = TOP + level * ROW;
    const share = (100 * node.milliseconds) / root.milliseconds;
    const places = [...node.places];
    const about = [
      node.name,
      `${node.milliseconds.toFixed(3)} ms, ${share.toFixed(1)} %, ${node.dispatches} dispatches`,
      `${(node.flops / node.milliseconds / 1e6).toPrecision(3)} GFLOP/s`,
      places.length > 3 ? `${places.length} places` : places.join(', '),
    ].join('\n');
    const fill =
      node.children.size > 0 ? ['#d9d9d9', '#e6e6e6', '#efefef', '#f5f5f5'][level] : colourOf(node.name);
    const letters = Math.floor((width - 6) / LETTER);
    const name = node.name.length > letters ? `${node.name.slice(0, Math.max(0, letters - 1))}…` : node.name;
    const label = letters > 2 ? `<text x="${(x + 3).toFixed(1)}" y="${y + 15}">${quoted(name)}</text>` : '';
    boxes.push(
      `<g><title>${quoted(about)}</title><rect x="${x.toFixed(1)}" y="${y}" width="${width.toFixed(1)}" height="${ROW - 1}" fill="${fill}"/>${label}</g>`,
    );
    let left = x;
    for (const child of node.children.values()) {
      draw(child, left, level + 1);
      left += (WIDTH * child.milliseconds) / root.milliseconds;
    }
  };
  draw(root, 0, 0);
  const how = method === 'timestamps' ? 'timestamps of the GPU' : 'one submit per dispatch';
  const title = `${root.milliseconds.toFixed(1)} ms of kernels for ${tokens} tokens on ${device} (${how})`;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${TOP + (depth + 1) * ROW + 6}" font-family="monospace" font-size="11">
<style>rect { stroke: white } g:hover rect { stroke: black } text { pointer-events: none }</style>
<rect width="100%" height="100%" fill="white"/>
<text x="3" y="20" font-size="14">${quoted(title)}</text>
${boxes.join('\n')}
</svg>
`;
}
