/** Which linear layers each adapter block adapts: targets and layer ranges against the modules of a model. */
import type { Diagnostic } from '../dsl/diagnostics/diagnostic.ts';
import { suggest } from '../dsl/diagnostics/suggest.ts';
import type { AdapterBlock, Program } from '../dsl/program.ts';
import type { LayerShape, LinearShape, ModelShape } from './plan/model.ts';
import { problem } from './problems.ts';
import type { Placement } from './site.ts';

/** Linear layers of a decoder layer that share an input, in the order in which they are stacked. */
export function inputGroups(layer: LayerShape): LinearShape[][] {
  return [[layer.q, layer.k, layer.v], [layer.o], [layer.gate, layer.up], [layer.down]];
}

/** What the statistics of one adapter have room for (kernels/routing/stats.wgsl). */
const MAX_EXPERTS = 16;

export interface Selection {
  /** Names of adapters in the order of their first block: index = slot. */
  slots: string[];
  /** Adapters on each module, by module path. */
  placements: Map<string, Placement[]>;
  /** Modules each block matched, in the order of `program.adapters`. */
  matched: LinearShape[][];
  diagnostics: Diagnostic[];
}

export function select(program: Program, shape: ModelShape): Selection {
  const diagnostics: Diagnostic[] = [];
  const slots = [...new Set(program.adapters.map(a => a.name))];
  const placements = new Map<string, Placement[]>();
  const matched = program.adapters.map(block => {
    const modules = modulesOf(block, shape, diagnostics);
    for (const linear of modules) place(block, linear);
    return modules;
  });
  for (const layer of shape.layers) for (const group of inputGroups(layer)) checkDropout(group);
  return { slots, placements, matched, diagnostics };

  function place(block: AdapterBlock, linear: LinearShape): void {
    const here = placements.get(linear.path) ?? [];
    placements.set(linear.path, here);
    const other = here.find(p => p.block.name === block.name);
    if (other) {
      const known = diagnostics.some(d => d.code === 'overlapping-adapters' && d.span === block.origin);
      if (!known)
        diagnostics.push(
          problem(
            'overlapping-adapters',
            `two adapters named \`${block.name}\` on \`${linear.path}\``,
            block.origin,
            {
              related: [{ span: other.block.origin, message: 'the first one' }],
            },
          ),
        );
      return;
    }
    if (
      block.experts.length > MAX_EXPERTS &&
      !diagnostics.some(d => d.code === 'too-many-experts' && d.span === block.origin)
    ) {
      diagnostics.push(
        problem('too-many-experts', `${block.experts.length} experts in one adapter`, block.origin),
      );
    }
    for (const { rank, origin } of block.experts) {
      const most = Math.min(linear.in, linear.out);
      if (rank > most && !diagnostics.some(d => d.code === 'rank-too-large' && d.span === origin)) {
        diagnostics.push(
          problem(
            'rank-too-large',
            `rank ${rank} exceeds ${most}, the smaller side of \`${linear.path}\` (${linear.in} to ${linear.out})`,
            origin,
          ),
        );
      }
    }
    here.push({ block, slot: slots.indexOf(block.name) });
  }

  function checkDropout(group: LinearShape[]): void {
    const blocks = group.flatMap(linear => placements.get(linear.path) ?? []).map(p => p.block);
    const odd = blocks.find(b => b.dropout !== blocks[0].dropout);
    if (!odd || diagnostics.some(d => d.code === 'mixed-dropout')) return;
    diagnostics.push(
      problem(
        'mixed-dropout',
        `dropout ${odd.dropout} and ${blocks[0].dropout} on one input, read by ${group.map(l => `\`${l.path}\``).join(', ')}`,
        odd.origin,
        {
          related: [{ span: blocks[0].origin, message: `dropout ${blocks[0].dropout} here` }],
        },
      ),
    );
  }
}

function modulesOf(block: AdapterBlock, shape: ModelShape, diagnostics: Diagnostic[]): LinearShape[] {
  for (const range of block.layers) {
    if (range.last < shape.layers.length) continue;
    diagnostics.push(
      problem(
        'layer-out-of-range',
        `layer ${range.last} does not exist: the model has layers 0 to ${shape.layers.length - 1}`,
        range.origin,
      ),
    );
  }
  const layers = shape.layers.filter(
    l => block.layers.length === 0 || block.layers.some(r => r.first <= l.index && l.index <= r.last),
  );
  const found = new Set<LinearShape>();
  for (const target of block.targets) {
    const matches = layers
      .flatMap(l => inputGroups(l).flat())
      .filter(linear => matchesTarget(target, linear.path));
    for (const linear of matches) found.add(linear);
    if (matches.length > 0) continue;
    const names = [
      ...new Set(
        shape.layers.flatMap(l => inputGroups(l).flat()).map(l => l.path.replace(/^.*layers\.\d+\./, '')),
      ),
    ];
    diagnostics.push(
      problem('no-module-matches', `\`${target.text}\` matches no linear layer of the model`, target.origin, {
        notes: [`linear layers in each decoder layer: ${names.join(', ')}`],
        ...suggestion(target.text, names),
      }),
    );
  }
  return [...found];
}

type Target = AdapterBlock['targets'][number];

/** Bare words match whole trailing components of the path, globs the whole path or whole trailing components. */
function matchesTarget(target: Target, path: string): boolean {
  if (target.kind === 'all-linear') return true;
  if (target.kind === 'suffix') return path === target.text || path.endsWith(`.${target.text}`);
  const starts = [0, ...[...path].flatMap((c, i) => (c === '.' ? [i + 1] : []))];
  return endsOf(parseGlob(target.text), path, new Set(starts)).has(path.length);
}

/** `*` any text, `?` one character, any other character itself; a list of alternatives for `{a,b}`. */
type Piece = string | Piece[][];

function parseGlob(glob: string): Piece[] {
  const open: Piece[][][] = [[[]]];
  for (const c of glob) {
    const alternatives = open.at(-1)!;
    if (c === '{') open.push([[]]);
    else if (c === '}' && open.length > 1) open.at(-2)!.at(-1)!.push(open.pop()!);
    else if (c === ',' && open.length > 1) alternatives.push([]);
    else alternatives.at(-1)!.push(c);
  }
  return open[0][0];
}

/** Where in `path` the pieces can end, beginning at any of `starts`: all ways at once, so that no glob takes long. */
function endsOf(pieces: Piece[], path: string, starts: Set<number>): Set<number> {
  let at = starts;
  for (const piece of pieces) {
    if (typeof piece !== 'string') {
      const from = at;
      at = new Set(piece.flatMap(alternative => [...endsOf(alternative, path, from)]));
    } else if (piece === '*') {
      const first = Math.min(...at);
      at = new Set(Array.from({ length: path.length + 1 }, (_, i) => i).filter(i => i >= first));
    } else {
      at = new Set(
        [...at].filter(i => i < path.length && (piece === '?' || path[i] === piece)).map(i => i + 1),
      );
    }
  }
  return at;
}

/** Did you mean: the last component of a path that is spelt almost like the target. */
function suggestion(text: string, paths: string[]): Partial<Diagnostic> {
  const [name] = suggest(text, [...new Set(paths.flatMap(p => [p, p.split('.').at(-1)!]))]);
  return name ? { help: `replace it with \`${name}\`` } : {};
}
