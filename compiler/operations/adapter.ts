/**
 * The adapter in rank space: gates and gains turn z into s = w_e·z_e. Gram matrices G_e = B_eᵀB_e, computed once per
 * step for the whole plan, replace every d_out-dimensional norm (MoSLoRA, arXiv 2602.14490).
 */

import type { Expert } from '../../dsl/program.ts';
import { kernel } from '../../kernels/index.ts';
import { type ParamValue, paramsOf } from '../../kernels/spec.ts';
import { type Graph, matrix, type Place, perRow, type Source, type Value } from '../graph.ts';
import type { Stack } from '../site.ts';
import { emitSpaces } from '../spaces/emit.ts';

export interface GainsPlaces {
  gram: Place;
  gramGradient: Place;
  geometry: Place;
  geometryGradient: Place;
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

/** s[t] = w_e(t)·z_e[t]; needs ‖x‖² per row unless every expert is flat. */
export function gains(
  graph: Graph,
  z: Value,
  radius: Value | undefined,
  stack: Stack,
  places: GainsPlaces,
  maxRows: number,
  source: Source,
): Value {
  const { rows } = z;
  const s = matrix('s', rows, stack.ldS, stack.ldS);
  const adapters = stack.adapters;
  const experts = adapters.flatMap((a, i) => a.experts.map(e => ({ ...e, adapter: i })));
  const curved = [...new Set(experts.map(e => e.space.radial))].filter(r => !r.flat);
  const sizes = { LD_Z: stack.ldZ, LD_DZ: stack.ldDz, EXTRA_COLUMN: stack.extraColumn };
  const params: Record<string, ParamValue> = {
    ...sizes,
    ADAPTERS: adapters.length,
    EXPERTS: experts.length,
    MAX_ROWS: maxRows,
    LD_S: stack.ldS,
    LD_ROUTE: stack.ldRoute,
    MAX_RANK: Math.max(...experts.map(e => e.expert.rank)),
    MAX_EXPERTS: Math.max(...adapters.map(a => a.experts.length)),
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
    MAX_PARAMETERS: stack.parameters,
    PARAMETERS: experts.map(e => e.space.parameters.length),
    Z_COLUMN: experts.map(e => e.column),
    RANK: experts.map(e => e.expert.rank),
    SCALE: experts.map(e => expertScale(stack, e.adapter, e.expert)),
    LEARN_SCALE: experts.map(e => (e.expert.learnScale ? 1 : 0)),
    INV_SIGMA2: experts.map(() => 1 / stack.width),
    GRAM_OFFSET: experts.map(e => e.gram),
    PARAM_OFFSET: experts.map(e => e.geometry),
  };
  const { gram, gramGradient, geometry, geometryGradient, slotScale, rowOf, routing, stats } = places;
  const each = experts.reduce((sum, e) => sum + 2 * e.expert.rank ** 2 + 60, 0);
  const site = { index: stack.index };
  graph.add({
    kind: 'gains',
    inputs: radius ? [z, radius] : [z],
    outputs: [s],
    trains: true,
    emit: () => [
      {
        spec: kernel('gains.forward'),
        params: pick('gains.forward', params),
        site,
        bindings: { z, radius, gram, geometry, slot_scale: slotScale, row_of: rowOf, s, routing },
        grid: [perRow(rows, 1, 64), adapters.length, 1],
        flops: { symbol: rows.symbol, each },
        source,
      },
    ],
    adjoint: tape => {
      const h = tape.gradient(s);
      if (!h) return;
      const dz = matrix('dz', rows, stack.ldZ, stack.ldDz);
      tape.emit({
        spec: kernel('gains.backward'),
        params: pick('gains.backward', params),
        site,
        bindings: { z, radius, gram, geometry, h, routing, stats, dz },
        grid: [perRow(rows, 1, 64), adapters.length, 1],
        flops: { symbol: rows.symbol, each: 3 * each },
        source,
      });
      const trainsHere = stack.curved || adapters.some(a => a.rankRouter !== undefined);
      if (trainsHere)
        tape.emit({
          spec: kernel('gains.reduce'),
          params: pick('gains.reduce', params),
          site,
          bindings: { z, dz, gram_grad: gramGradient, geometry_grad: geometryGradient },
          grid: [experts.length + adapters.length, 1, 1],
          flops: { symbol: rows.symbol, each },
          source,
        });
      tape.contribute(z, { kind: 'value', value: dz });
      if (radius && tape.wants(radius))
        tape.contribute(radius, { kind: 'radial', dz, column: stack.extraColumn, count: adapters.length });
    },
  });
  return s;
}

/** The parameters that a kernel declares, of those a family of kernels shares. */
function pick(name: string, params: Record<string, ParamValue>): Record<string, ParamValue> {
  const known = paramsOf(kernel(name).wgsl);
  return Object.fromEntries(Object.entries(params).filter(([key]) => known.has(key)));
}
