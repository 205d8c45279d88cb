/**
 * The trained state: one flat f32 buffer. Each site owns three consecutive regions in it (stacked A with routers,
 * stacked B, geometry), each starting at a bindable offset; an optimiser group is chosen per block of 16 floats.
 */

import type { TrainBlock } from '../dsl/program.ts';
import type { Tie } from '../kernels/ties/reference.ts';
import { align, type Place } from './graph.ts';
import type { Group, PlanParameter } from './plan/schema.ts';
import { GEOMETRY_STRIDE, type Stack, type StackedAdapter } from './site.ts';
import { type ExpertParameter, storedForm } from './spaces/resolve.ts';

/** WebGPU's minStorageBufferOffsetAlignment, in floats. */
const BINDABLE = 64;
/** Floats that share an optimiser group. */
export const GROUP_BLOCK = 16;

/** Float offsets of one site's regions in the parameter buffer, and of its Gram matrices in theirs. */
export interface SiteRegions {
  a: number;
  b: number;
  geometry: number;
  gram: number;
}

type Init = PlanParameter['init'];

export class ParameterSpace {
  readonly parameters: PlanParameter[] = [];
  readonly groups: Group[] = [];
  private readonly groupIndex = new Map<string, number>();
  private blocks: number[] = [];
  private gramFloats = 0;
  /** Shared parameters by what they have in common. */
  private readonly shared = new Map<string, Tie>();
  private readonly train: TrainBlock;

  constructor(train: TrainBlock) {
    this.train = train;
    this.group({ ...this.plain('frozen'), kind: 'frozen', lr: 0, weightDecay: 0 });
  }

  /** Floats of the parameter buffer so far, and of the Gram buffer. */
  get size(): number {
    return Math.max(this.blocks.length * GROUP_BLOCK, BINDABLE);
  }
  get gramSize(): number {
    return Math.max(this.gramFloats, BINDABLE);
  }

  /** Parameters with copies, in the order of their first place. */
  get ties(): Tie[] {
    return [...this.shared.values()].filter(t => t.copies.length > 0);
  }

  /** Where a parameter is trained: its own place, or that of the first it is shared with. */
  trainedAt(offset: number): number {
    return [...this.shared.values()].find(t => t.copies.includes(offset))?.first ?? offset;
  }

  /** Group of every block as runs of [group, blocks]. */
  groupRuns(): [number, number][] {
    const runs: [number, number][] = [];
    for (const group of this.blocks) {
      const last = runs.at(-1);
      if (last?.[0] === group) last[1]++;
      else runs.push([group, 1]);
    }
    return runs.length > 0 ? runs : [[0, this.size / GROUP_BLOCK]];
  }

  /** Reserves the regions of a site and lists its parameters. */
  place(stack: Stack): SiteRegions {
    const regions = {
      a: this.reserve(stack.aSize),
      b: this.reserve(stack.bSize),
      geometry: this.reserve(stack.geometrySize),
      gram: this.gramFloats,
    };
    this.gramFloats = align(this.gramFloats + stack.gramSize, BINDABLE);
    const weights = this.group({ ...this.plain('adapter'), kind: 'adamw' });
    const router = this.group({
      ...this.plain('router'),
      kind: 'adamw',
      lr: this.train.routerLr ?? this.train.lr,
    });
    this.assign(regions.a, stack.ldS * stack.ldX, weights);
    this.assign(regions.a + stack.ldS * stack.ldX, (stack.ldZ - stack.ldS) * stack.ldX, router);
    this.assign(regions.b, stack.bSize, weights);
    for (const adapter of stack.adapters) this.describe(stack, adapter, regions, weights, router);
    return regions;
  }

  private describe(
    stack: Stack,
    adapter: StackedAdapter,
    regions: SiteRegions,
    weights: number,
    router: number,
  ): void {
    const module = stack.modules[adapter.module];
    const adapterName = adapter.block.name;
    const prefix = module.linear.path + (adapterName === 'default' ? '' : `.adapters.${adapterName}`);
    const add = (p: Omit<PlanParameter, 'adapter' | 'module'>) =>
      this.parameters.push({ ...p, adapter: adapterName, module: module.linear.path });
    const count = adapter.experts.length;
    const normal: Init = { kind: 'normal', std: 0.02 };
    if (adapter.routerColumn !== undefined) {
      const offset = regions.a + adapter.routerColumn * stack.ldX;
      add({
        name: `${prefix}.router`,
        kind: 'router',
        offset,
        rows: count,
        columns: stack.width,
        ld: stack.ldX,
        group: router,
        init: normal,
      });
    } else if (adapter.rankRouter !== undefined) {
      const ranks = adapter.experts.reduce((sum, e) => sum + e.expert.rank, 0);
      const offset = regions.geometry + adapter.rankRouter;
      this.assign(offset, count * ranks, router);
      add({
        name: `${prefix}.router`,
        kind: 'router',
        offset,
        rows: count,
        columns: ranks,
        ld: ranks,
        group: router,
        init: normal,
      });
    }
    adapter.experts.forEach(({ expert, space, column, geometry }, e) => {
      const base = `${prefix}.experts.${e}`;
      const common = { expert: e, group: weights };
      add({
        ...common,
        name: `${base}.A`,
        kind: 'A',
        offset: regions.a + column * stack.ldX,
        rows: expert.rank,
        columns: stack.width,
        ld: stack.ldX,
        init: { kind: 'uniform', bound: 1 / Math.sqrt(stack.width) },
      });
      add({
        ...common,
        name: `${base}.B`,
        kind: 'B',
        offset: regions.b + module.b + column - module.sColumn,
        rows: module.linear.out,
        columns: expert.rank,
        ld: module.rank,
        init: { kind: 'constant', value: 0 },
      });
      const scalar = { expert: e, rows: 1, columns: 1, ld: 1 };
      space.parameters.forEach((parameter, i) => {
        const offset = regions.geometry + geometry + i * GEOMETRY_STRIDE;
        if (this.isCopy(parameter, space.radial.definition.name, module.linear.path, offset)) return;
        const group = this.geometryGroup(parameter);
        this.assign(offset, 1, group);
        const value = storedForm(parameter.domain, initial(parameter));
        add({
          ...scalar,
          name: `${base}.${parameter.tensor}`,
          kind: parameter.builtIn ? 'curvature' : 'parameter',
          offset,
          group,
          init: { kind: 'constant', value },
        });
      });
      if (expert.learnScale) {
        const offset = regions.geometry + geometry + space.parameters.length * GEOMETRY_STRIDE;
        const group = this.group({ ...this.plain('scale'), ...this.curvatureOptimiser() });
        this.assign(offset, 1, group);
        add({
          ...scalar,
          name: `${base}.scale`,
          kind: 'scale',
          offset,
          group,
          init: { kind: 'constant', value: 0.5 * Math.log(stack.width) },
        });
      }
    });
  }

  /**
   * Whether a parameter is shared with one placed before. Every expert keeps a place of its own, because workgroups of one
   * dispatch must not add to one number; copies are refreshed from the first and their gradients summed there.
   */
  private isCopy(
    { name, parameter }: ExpertParameter,
    space: string,
    module: string,
    offset: number,
  ): boolean {
    if (parameter.kind === 'fixed' || !parameter.share) return false;
    const { scope, key } = parameter.share;
    const where = { module, layer: /\.(\d+)\./.exec(module)?.[1] ?? module, all: '' }[scope];
    const id = JSON.stringify([key, space, name, where]);
    const tie = this.shared.get(id);
    if (tie) tie.copies.push(offset);
    else this.shared.set(id, { first: offset, copies: [] });
    return tie !== undefined;
  }

  private geometryGroup({ domain, parameter }: ExpertParameter): number {
    if (parameter.kind === 'fixed') return 0;
    const optimiser = this.curvatureOptimiser();
    const bound = (v: number | undefined) => (v === undefined ? null : storedForm(domain, v));
    return this.group({
      ...this.plain('curvature'),
      ...optimiser,
      weightDecay: parameter.decay ?? 0,
      lr: parameter.lr ?? optimiser.lr,
      min: bound(parameter.min),
      max: bound(parameter.max),
    });
  }

  private curvatureOptimiser() {
    const { kind, lr } = this.train.curvature;
    return { kind: kind === 'sgd' ? ('sgd' as const) : ('adamw' as const), lr, weightDecay: 0 };
  }

  private plain(name: string): Group {
    const { beta1, beta2, eps, weightDecay } = this.train.optimizer;
    return { name, kind: 'adamw', lr: this.train.lr, weightDecay, beta1, beta2, eps, min: null, max: null };
  }

  private group(group: Group): number {
    const key = JSON.stringify(group);
    const known = this.groupIndex.get(key);
    if (known !== undefined) return known;
    this.groups.push(group);
    this.groupIndex.set(key, this.groups.length - 1);
    return this.groups.length - 1;
  }

  private reserve(floats: number): number {
    const offset = this.blocks.length * GROUP_BLOCK;
    const blocks = align(Math.max(floats, 1), BINDABLE) / GROUP_BLOCK;
    for (let i = 0; i < blocks; i++) this.blocks.push(0);
    return offset;
  }

  private assign(offset: number, floats: number, group: number): void {
    this.blocks.fill(group, offset / GROUP_BLOCK, Math.ceil((offset + floats) / GROUP_BLOCK));
  }
}

const initial = ({ parameter: p }: ExpertParameter): number => (p.kind === 'fixed' ? p.value : p.init);

export function floats(buffer: string, offset: number, size: number): Place {
  return { buffer, offset: offset * 4, bytes: Math.max(size, 4) * 4 };
}
