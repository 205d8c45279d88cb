/** Programs and tables that concern all adapters of a plan at once: Gram matrices, telemetry, the optimiser. */
import { kernel } from '../kernels/index.ts';
import { tieTable } from '../kernels/ties/reference.ts';
import type { Assembled } from './assemble.ts';
import type { Draft, Place, Source } from './graph.ts';
import { type Lowering, type PlacedStack, routes } from './lower.ts';
import { expertScale } from './operations/adapter.ts';
import { GROUP_BLOCK, type ParameterSpace } from './parameters.ts';
import type { Site } from './plan/schema.ts';
import { GEOMETRY_STRIDE } from './site.ts';
import { STORED } from './spaces/resolve.ts';
import type { Store } from './store.ts';

/** Workgroups that sum squares of the gradient; their partial sums are added in a fixed order. */
const PARTIALS = 256;

const whole = (store: Store, name: string): Place => ({
  buffer: name,
  offset: 0,
  bytes: store.buffers.get(name)!.bytes,
});

/** Curved experts of all stacks, as rows of the Gram table: b offset, ld, column, rank, rows, gram offset. */
function gramRows(stacks: PlacedStack[]): number[][] {
  return stacks.flatMap(({ stack, regions }) =>
    stack.adapters.flatMap(adapter => {
      const module = stack.modules[adapter.module];
      return adapter.experts
        .filter(e => !e.space.radial.flat)
        .map(e => [
          regions.b + module.b,
          module.rank,
          e.column - module.sColumn,
          e.expert.rank,
          module.linear.out,
          regions.gram + e.gram,
          0,
          0,
        ]);
    }),
  );
}

const statsOf = ({ firstAdapter, stack }: PlacedStack): Place => ({
  buffer: 'stats',
  offset: firstAdapter * 256,
  bytes: stack.adapters.length * 256,
});

export interface SharedPrograms {
  /** Copies of shared parameters and G_e = B_eᵀB_e: after every change of the parameters. */
  refresh: Draft[];
  /** After the forward pass, before the backward pass. */
  telemetry: Draft[];
  /** At the end of the backward pass: sums of shared parameters, dB_e += 2 B_e dG_e. */
  finishBackward: Draft[];
}

/** `only`: for a program that runs one stack alone, which then reads and writes nothing of the others. */
export function sharedPrograms(lowering: Lowering, source: Source, only?: PlacedStack): SharedPrograms {
  const { store } = lowering;
  const stacks = only ? [only] : lowering.stacks;
  const suffix = only ? `.${only.stack.index}` : '';
  const rows = gramRows(stacks);
  const programs: SharedPrograms = { refresh: [], telemetry: [], finishBackward: [] };
  const { ties } = lowering.parameters;
  if (ties.length > 0) {
    const values = tieTable(ties);
    const table = store.declare('tie_table', 'constant', values.length * 4, { kind: 'words', values });
    const common = {
      params: { GROUPS: ties.length },
      grid: [Math.ceil(ties.length / 64), 1, 1] as [number, number, number],
      flops: { each: values.length },
      source,
    };
    programs.refresh.push({
      ...common,
      spec: kernel('ties.copy'),
      bindings: { table, params: whole(store, 'params') },
    });
    programs.finishBackward.push({
      ...common,
      spec: kernel('ties.sum'),
      bindings: { table, grads: whole(store, 'grads') },
    });
  }
  if (rows.length > 0) {
    const table = store.declare(`gram_table${suffix}`, 'constant', rows.length * 32, {
      kind: 'words',
      values: rows.flat(),
    });
    const most = Math.max(...rows.map(r => r[4]));
    const flops = { each: rows.reduce((sum, r) => sum + 2 * r[4] * r[3] ** 2, 0) };
    const params = { EXPERTS: rows.length };
    programs.refresh.push({
      spec: kernel('gram.forward'),
      params,
      bindings: { params: whole(store, 'params'), table, gram: whole(store, 'gram') },
      grid: [rows.length, 1, 1],
      flops,
      source,
    });
    programs.finishBackward.push({
      spec: kernel('gram.backward'),
      params,
      bindings: {
        params: whole(store, 'params'),
        table,
        gram_grad: whole(store, 'gram_grad'),
        grads: whole(store, 'grads'),
      },
      grid: [Math.ceil(most / 256), rows.length, 1],
      flops,
      source,
    });
  }
  if (stacks.length > 0 && lowering.stacks.some(routes)) {
    const values = stacks.flatMap(placed =>
      placed.stack.adapters.flatMap(a => [
        lowering.routingOffset(lowering.stacks.indexOf(placed)),
        placed.stack.ldRoute,
        a.routeColumn,
        a.experts.length,
        a.block.router?.k ?? 1,
        0,
        0,
        0,
      ]),
    );
    programs.telemetry.push({
      spec: kernel('routing.stats'),
      params: {},
      bindings: {
        routing: whole(store, 'routing'),
        stats: only ? statsOf(only) : whole(store, 'stats'),
        table: store.declare(`routing_table${suffix}`, 'constant', values.length * 4, {
          kind: 'words',
          values,
        }),
      },
      grid: [values.length / 8, 1, 1],
      flops: { symbol: 'tokens', each: values.length },
      source,
    });
  }
  return programs;
}

/** Workgroups beyond WebGPU's limit in x go on in y; the kernel numbers them row by row. */
function folded(workgroups: number): [number, number, number] {
  const x = Math.min(workgroups, 65535);
  return [x, Math.ceil(workgroups / x), 1];
}

/** Global norm, finiteness, then one step over every parameter. Rates come from `groups`, written per step. */
export function optimizerProgram(
  store: Store,
  parameters: ParameterSpace,
  clip: number,
  source: Source,
): Draft[] {
  const count = parameters.size;
  const [params, grads, moment1, moment2] = ['params', 'grads', 'moment1', 'moment2'].map(n =>
    whole(store, n),
  );
  const partial = store.declare('norm_partial', 'state', 2 * PARTIALS * 4);
  const control = store.declare('control', 'output', 16);
  const groups = store.declare('groups', 'input', parameters.groups.length * 48);
  const groupOf = store.declare('group_of_block', 'constant', (count / GROUP_BLOCK) * 4, { kind: 'groups' });
  return [
    {
      spec: kernel('optimizer.norm_partial'),
      params: { COUNT: count, PARTIALS },
      bindings: { grads, group_of_block: groupOf, groups, partial },
      grid: [PARTIALS, 1, 1],
      flops: { each: 2 * count },
      source,
    },
    {
      spec: kernel('optimizer.norm_final'),
      params: { PARTIALS, MAX_NORM: clip },
      bindings: { partial, control },
      grid: [1, 1, 1],
      flops: { each: PARTIALS },
      source,
    },
    {
      spec: kernel('optimizer.step'),
      params: { COUNT: count },
      bindings: { params, grads, moment1, moment2, group_of_block: groupOf, groups, control },
      grid: folded(Math.ceil(count / 4 / 64)),
      flops: { each: 12 * count },
      source,
    },
  ];
}

/** What assembling leaves, and the tables of parameters and sites. */
export function tablesOf(
  lowering: Lowering,
  tables: Omit<Assembled, 'files'>,
  layers: ReadonlyMap<string, number>,
) {
  const { parameters } = lowering;
  const origins = [...tables.origins];
  return {
    ...tables,
    origins,
    groups: parameters.groups,
    groupRuns: parameters.groupRuns(),
    parameters: parameters.parameters,
    sites: siteTable(
      lowering,
      path => layers.get(path)!,
      s => origins.push(s) - 1,
    ),
  };
}

/** One entry per adapted module, in the order of the stats blocks. */
function siteTable(
  { stacks, parameters }: Lowering,
  layerOf: (path: string) => number,
  originOf: (source: Source) => number,
): Site[] {
  return stacks.flatMap(({ stack, regions, source }) =>
    stack.adapters.map((adapter, i): Site => {
      const { block, slot, module } = adapter;
      const { path } = stack.modules[module].linear;
      return {
        adapter: block.name,
        module: path,
        layer: layerOf(path),
        slot,
        aux: block.router?.aux ?? 0,
        z: block.router?.z ?? 0,
        topK: block.router?.k ?? 1,
        gate: block.router?.gate ?? 'renorm',
        routes: block.router?.on ?? 'input',
        experts: adapter.experts.map(({ expert, space, geometry }) => ({
          space: expert.space,
          ...(expert.map ? { map: expert.map } : {}),
          rank: expert.rank,
          scale: expertScale(stack, i, expert),
          parameters: space.parameters.map(({ name, domain, parameter }, p) => ({
            name,
            offset: parameters.trainedAt(regions.geometry + geometry + p * GEOMETRY_STRIDE),
            stored: STORED[domain],
            learned: parameter.kind === 'learn',
          })),
          ...(space.sign ? { sign: space.sign } : {}),
        })),
        origin: originOf({ ...source, line: block.origin.line, column: block.origin.column, module: path }),
      };
    }),
  );
}
