/**
 * A site is one input shared by several linear layers of which some are adapted: their frozen weights are stacked by
 * output rows, the A matrices of all their experts are stacked with the routers beneath, their B matrices follow one
 * another. This file decides every column and offset of those stacks; nothing else may.
 *
 *   z = x·Aᵀ   columns [0, ldS): experts' low-rank values, one block per module, padded to 4; then router logits
 *   s          columns [0, ldS): w_e·z_e
 *   inner      z, s, ‖x‖²
 *   y          columns: one block per module, padded to 8
 */
import type { AdapterBlock, Expert } from '../dsl/program.ts';
import { align } from './graph.ts';
import type { LinearShape } from './plan/model.ts';
import type { ExpertSpace, Spaces } from './spaces/resolve.ts';

/** Floats between an expert's stored parameters, log σ the last: one block of the parameter-group table each. */
export const GEOMETRY_STRIDE = 16;

export interface StackedExpert {
  expert: Expert;
  space: ExpertSpace;
  /** First column in z and s. */
  column: number;
  /** Float offset of its first stored parameter in the site's geometry region. */
  geometry: number;
  /** Float offset of its Gram matrix in the site's Gram region. */
  gram: number;
}

export interface StackedAdapter {
  block: AdapterBlock;
  /** Index into `modules`, and of the adapter's name among the plan's slots. */
  module: number;
  slot: number;
  experts: StackedExpert[];
  /** First logit column in z; undefined for a single expert or a router on rank space. */
  routerColumn?: number;
  /** Float offset of the rank-space router in the geometry region. */
  rankRouter?: number;
  /** First column in the routing record. */
  routeColumn: number;
}

export interface StackedModule {
  linear: LinearShape;
  /** First output column, and columns (out padded to 8). */
  column: number;
  columns: number;
  /** First column in s, total rank padded to 4 (0: not adapted), float offset in the B region. */
  sColumn: number;
  rank: number;
  b: number;
}

export interface Stack {
  /** Keys the random numbers of this place; unique in a plan. */
  index: number;
  width: number;
  ldX: number;
  modules: StackedModule[];
  adapters: StackedAdapter[];
  n: number;
  ldS: number;
  ldZ: number;
  /** Columns of `inner`, and where s and ‖x‖² stand in it. */
  ldInner: number;
  sColumn: number;
  radiusColumn: number;
  ldDz: number;
  /** First column of dz past z's gradient: radial coefficients, then dn, dθ (`parameters` each), d log σ and rank-space dℓ per expert. */
  extraColumn: number;
  ldRoute: number;
  dropout: number;
  /** Most parameters of a space here; at least 1. */
  parameters: number;
  /** false when every expert is flat: no radius, no Gram matrices, no geometry gradients. */
  curved: boolean;
  /** Floats of the A, B, geometry and Gram regions. */
  aSize: number;
  bSize: number;
  geometrySize: number;
  gramSize: number;
}

export interface Placement {
  block: AdapterBlock;
  slot: number;
}

/** Lays out the stack of `linears`, which share an input of `width` columns; `placed[i]` are the adapters on module i. */
export function layoutStack(
  index: number,
  linears: LinearShape[],
  placed: Placement[][],
  spaces: Spaces,
): Stack {
  const width = linears[0].in;
  const modules: StackedModule[] = [];
  const adapters: StackedAdapter[] = [];
  let column = 0;
  let sColumn = 0;
  let b = 0;
  let geometry = 0;
  let gram = 0;
  linears.forEach((linear, module) => {
    const first = sColumn;
    for (const { block, slot } of placed[module]) {
      const experts = block.experts.map(expert => {
        const space = spaces.of(expert);
        const stacked = { expert, space, column: sColumn, geometry, gram };
        sColumn += expert.rank;
        geometry += (space.parameters.length + 1) * GEOMETRY_STRIDE;
        gram += expert.rank ** 2;
        return stacked;
      });
      adapters.push({ block, module, slot, experts, routeColumn: 0 });
    }
    const rank = align(sColumn - first, 4);
    const columns = align(linear.out, 8);
    modules.push({ linear, column, columns, sColumn: first, rank, b });
    column += columns;
    b += rank * columns;
    sColumn = first + rank;
  });
  let logit = sColumn;
  let route = 0;
  for (const adapter of adapters) {
    const count = adapter.experts.length;
    adapter.routeColumn = route;
    route += 3 * count + 2;
    if (!adapter.block.router) continue;
    if (adapter.block.router.on === 'rank') {
      adapter.rankRouter = geometry;
      const ranks = adapter.experts.reduce((sum, e) => sum + e.expert.rank, 0);
      geometry = align(geometry + count * ranks, GEOMETRY_STRIDE);
    } else {
      adapter.routerColumn = logit;
      logit += count;
    }
  }
  const experts = adapters.flatMap(a => a.experts);
  const parameters = Math.max(1, ...experts.map(e => e.space.parameters.length));
  const ldX = align(width, 4);
  const ldZ = align(logit, 4);
  return {
    index,
    width,
    ldX,
    modules,
    adapters,
    n: column,
    ldS: sColumn,
    ldZ,
    ldInner: align(ldZ + sColumn + 1, 4),
    sColumn: ldZ,
    radiusColumn: ldZ + sColumn,
    extraColumn: ldZ,
    ldDz: align(ldZ + adapters.length + (3 + parameters) * experts.length, 4),
    ldRoute: align(route, 4),
    dropout: adapters[0]?.block.dropout ?? 0,
    parameters,
    curved: experts.some(e => !e.space.radial.flat),
    aSize: ldZ * ldX,
    bSize: b,
    geometrySize: geometry,
    gramSize: gram,
  };
}
