/**
 * The adapters on one input, in rank space (MoSLoRA, arXiv 2602.14490): `adapt` turns x into z, gates, gains and
 * s = w_e·z_e, which the frozen product takes up (operations/linear.ts). Gram matrices G_e = B_eᵀB_e, computed once per
 * step for the whole plan, replace every d_out-dimensional norm.
 */

import type { Expert } from '../../dsl/program.ts';
import { type AdapterTile, gradTile, quadsFit, rowTile, shaped } from '../../kernels/adapter/tiles.ts';
import { kernel } from '../../kernels/index.ts';
import { type ParamValue, paramsOf } from '../../kernels/spec.ts';
import { type Draft, type Graph, matrix, type Place, perRow, type Source, type Value } from '../graph.ts';
import type { Stack } from '../site.ts';
import { emitSpaces } from '../spaces/emit.ts';
import { FEW, QUADS } from '../tiles.ts';
import { dropout, segments } from './linear.ts';

export interface AdapterPlaces {
  a: Place;
  b: Place;
  geometry: Place;
  /** The gradients of all three, and where the latter two begin in it, in floats. */
  grads: Place;
  gradsOfB: number;
  gradsOfGeometry: number;
  gram: Place;
  gramGradient: Place;
  slotScale: Place;
  rowOf: Place;
  routing: Place;
  stats: Place;
}

/** w_e·α/rank: rslora divides by √rank. */
export function expertScale(stack: Stack, adapter: number, expert: Expert): number {
  const { alpha, rslora } = stack.adapters[adapter].block;
  return alpha / (rslora ? Math.sqrt(expert.rank) : expert.rank);
}

/** A row of the result: z, s[t] = w_e(t)·z_e[t] from `stack.sColumn` on, ‖x‖². */
export function adapt(
  graph: Graph,
  x: Value,
  stack: Stack,
  places: AdapterPlaces,
  maxRows: number,
  source: Source,
): Value {
  const { rows } = x;
  const { adapters, modules } = stack;
  const inner = matrix('inner', rows, stack.ldInner, stack.ldInner);
  const common = parameters(stack, maxRows);
  const experts = adapters.flatMap(a => a.experts);
  const each = experts.reduce((sum, { expert }) => sum + 2 * expert.rank ** 2 + 60, 0);
  const rankFlops = modules.reduce((sum, m) => sum + 2 * m.rank * m.columns, 0);
  const projection = 2 * x.width * stack.ldZ;
  const flops = (perRowOf: number) => ({ symbol: rows.symbol, each: perRowOf });
  const site = { index: stack.index };
  const { a, b, geometry, gram, slotScale, rowOf, routing, stats } = places;

  const few = rows.max <= FEW;
  /** A kernel over some rows at a time, at most `columns` side by side, in its shapes. */
  const byRows = (
    name: string,
    columns: number,
    params: Record<string, ParamValue>,
  ): Pick<Draft, 'spec' | 'params' | 'grid' | 'alternatives'> => {
    const shape = (tile: AdapterTile) => {
      const own = rowTile(tile, columns, few);
      const grid: Draft['grid'] = [perRow(rows, 1, own.ROWS), 1, 1];
      return { spec: kernel(shaped(name, tile)), params: own, grid };
    };
    const plain = shape('processor');
    return {
      ...plain,
      params: pick(name, { ...common, ...params, ...plain.params }),
      alternatives: [...(few ? [] : [{ ...shape('quads'), ...QUADS }]), shape('hardware')],
    };
  };

  graph.add({
    kind: 'adapter',
    inputs: [x],
    outputs: [inner],
    trains: true,
    emit: () => [
      {
        ...byRows('adapter.forward', stack.ldZ, {
          LD_X: x.ld,
          NEEDS_RADIUS: stack.curved,
          ...dropout(stack.dropout),
        }),
        site,
        bindings: { x, a, geometry, gram, slot_scale: slotScale, row_of: rowOf, inner, routing },
        flops: flops(projection + each),
        source,
      },
    ],
    adjoint: tape => {
      const dy = tape.terms(inner).find(t => t.kind === 'output')?.dy;
      if (!dy) return;
      const dz = matrix('dz', rows, stack.ldZ, stack.ldDz);
      tape.emit({
        ...byRows('adapter.backward', Math.max(...modules.map(m => m.rank)), {
          LD_DY: dy.ld,
          ...segments(modules),
        }),
        bindings: { dy, b, geometry, gram, inner, routing, stats, dz },
        flops: flops(rankFlops + 3 * each),
        source,
      });
      const own = pick('adapter.grads', {
        ...common,
        LD_X: x.ld,
        LD_DY: dy.ld,
        B_OFFSET: places.gradsOfB,
        GEOMETRY_OFFSET: places.gradsOfGeometry,
        B_RANK: Math.max(...modules.map(m => m.rank)),
        ...segments(modules),
        ...dropout(stack.dropout),
      });
      const reduced = stack.curved || adapters.some(adapter => adapter.rankRouter !== undefined);
      const shape = (tile: AdapterTile) => {
        const { params, workgroups } = gradTile(tile, {
          columns: stack.n,
          rank: own.B_RANK as number,
          width: x.ld,
          ldZ: stack.ldZ,
          results: reduced ? experts.length + adapters.length : 0,
        });
        const grid: Draft['grid'] = [workgroups, 1, 1];
        return { spec: kernel(shaped('adapter.grads', tile)), params, grid };
      };
      const plain = shape('processor');
      tape.emit({
        ...plain,
        params: { ...own, ...plain.params },
        alternatives: [
          ...(quadsFit(modules.map(m => m.column)) ? [{ ...shape('quads'), ...QUADS }] : []),
          shape('hardware'),
        ],
        site,
        bindings: { x, dy, dz, inner, grads: places.grads, gram_grad: places.gramGradient },
        flops: flops(projection + rankFlops + (reduced ? each : 0)),
        source,
      });
      if (!tape.wants(x)) return;
      const read = { place: a, columns: stack.ldZ, dropout: stack.dropout, site: stack.index };
      tape.contribute(x, { kind: 'lowrank', dz, projection: read, source });
      if (stack.curved)
        tape.contribute(x, { kind: 'radial', dz, column: stack.extraColumn, count: adapters.length });
    },
  });
  return inner;
}

/** Every program of a plan asks for those of every stack. */
const known = new WeakMap<Stack, Record<string, ParamValue>>();

/** What all adapter kernels know of a stack: gains/layout.wgsl. */
function parameters(stack: Stack, maxRows: number): Record<string, ParamValue> {
  const params = known.get(stack) ?? layoutOf(stack);
  known.set(stack, params);
  return { ...params, MAX_ROWS: maxRows };
}

function layoutOf(stack: Stack): Record<string, ParamValue> {
  const { adapters } = stack;
  const experts = adapters.flatMap((a, i) => a.experts.map(e => ({ ...e, adapter: i })));
  const curved = [...new Set(experts.map(e => e.space.radial))].filter(r => !r.flat);
  return {
    ADAPTERS: adapters.length,
    EXPERTS: experts.length,
    MAX_RANK: Math.max(...experts.map(e => e.expert.rank)),
    MAX_EXPERTS: Math.max(...adapters.map(a => a.experts.length)),
    MAX_PARAMETERS: stack.parameters,
    LD_Z: stack.ldZ,
    LD_S: stack.ldS,
    LD_INNER: stack.ldInner,
    S_COLUMN: stack.sColumn,
    RADIUS_COLUMN: stack.radiusColumn,
    LD_DZ: stack.ldDz,
    LD_ROUTE: stack.ldRoute,
    EXTRA_COLUMN: stack.extraColumn,
    EXPERT_START: [
      0,
      ...adapters.map((_, i) => adapters.slice(0, i + 1).reduce((sum, a) => sum + a.experts.length, 0)),
    ],
    HAS_ROUTER: adapters.map(a => (a.block.router ? 1 : 0)),
    ROUTER_COLUMN: adapters.map(a => a.routerColumn ?? 0),
    ON_RANK: adapters.map(a => (a.rankRouter === undefined ? 0 : 1)),
    ROUTER_OFFSET: adapters.map(a => a.rankRouter ?? 0),
    TOP_K: adapters.map(a => a.block.router?.k ?? 1),
    RENORM: adapters.map(a => (a.block.router?.gate === 'softmax' ? 0 : 1)),
    AUX: adapters.map(a => a.block.router?.aux ?? 0),
    ZLOSS: adapters.map(a => a.block.router?.z ?? 0),
    NOISE: adapters.map(a => a.block.router?.noise ?? 0),
    SLOT: adapters.map(a => a.slot),
    ROUTE_COLUMN: adapters.map(a => a.routeColumn),
    SPACES: emitSpaces(curved),
    SPACE: experts.map(e => curved.indexOf(e.space.radial) + 1),
    PARAMETERS: experts.map(e => e.space.parameters.length),
    Z_COLUMN: experts.map(e => e.column),
    RANK: experts.map(e => e.expert.rank),
    SCALE: experts.map(e => expertScale(stack, e.adapter, e.expert)),
    LEARN_SCALE: experts.map(e => (e.expert.learnScale ? 1 : 0)),
    INV_SIGMA2: experts.map(() => 1 / stack.width),
    GRAM_OFFSET: experts.map(e => e.gram),
    PARAM_OFFSET: experts.map(e => e.geometry),
  };
}

/** The parameters that a kernel declares, of those a family of kernels shares. */
function pick(name: string, params: Record<string, ParamValue>): Record<string, ParamValue> {
  const declared = declarations.get(name) ?? paramsOf(kernel(name).wgsl);
  declarations.set(name, declared);
  return Object.fromEntries(Object.entries(params).filter(([key]) => declared.has(key)));
}

const declarations = new Map<string, Map<string, string>>();
