/**
 * Adapters alone: a plan whose programs map x to Δy, and dy to dx and the gradients of the adapters, one adapted module at
 * a time and without a base model. For engines that own their base (docs/embedding.md), and for checking the mathematics.
 *
 * The plan's `ports` name the programs and matrices of each module: `x`, `dx` [tokens, in padded to 4], `y`, `dy`
 * [tokens, out padded to 8], f32, padding zero. Modules of one width share the plan's own matrices, which are there for
 * running it by itself.
 */
import type { AdapterBlock, Program, Span, TrainBlock } from '../dsl/program.ts';
import { assemble } from './assemble.ts';
import { differentiate } from './differentiate.ts';
import { type Draft, Graph, matrix, type Value } from './graph.ts';
import type { Compiled, CompileResult } from './index.ts';
import { Lowering } from './lower.ts';
import { ParameterSpace } from './parameters.ts';
import { sha256 } from './plan/hash.ts';
import type { LinearShape, ModelShape } from './plan/model.ts';
import { requirements } from './plan/requirements.ts';
import type { Plan } from './plan/schema.ts';
import { PLAN_FORMAT, PLAN_VERSION } from './plan/version.ts';
import { inputGroups, select } from './select.ts';
import { optimizerProgram, sharedPrograms, tablesOf } from './shared.ts';
import type { Placement } from './site.ts';
import { checkSpaces } from './spaces/check.ts';
import { Spaces } from './spaces/resolve.ts';
import { Store } from './store.ts';

export interface AdapterSizes {
  /** Most token rows of a batch. */
  tokens: number;
  /** Most sequences of a batch: each has its own scale of every adapter. */
  rows: number;
}

interface AdapterPlan {
  name: string;
  sources: Plan['sources'];
  origin: Span;
  slots: string[];
  modules: { linear: LinearShape; layer: number; placements: Placement[] }[];
  sizes: AdapterSizes;
  train: TrainBlock;
  spaces?: Program['spaces'];
}

/** Compiles one adapter on one linear layer for batches of up to `tokens` rows. */
export function compileAdapter(
  block: AdapterBlock,
  linear: LinearShape,
  tokens: number,
  train: TrainBlock,
  spaces?: Program['spaces'],
): Compiled {
  return build({
    name: linear.path,
    sources: { program: sha256(JSON.stringify(block)), model: sha256(JSON.stringify(linear)) },
    origin: block.origin,
    slots: [block.name],
    modules: [{ linear, layer: 0, placements: [{ block, slot: 0 }] }],
    sizes: { tokens, rows: 1 },
    train,
    ...(spaces ? { spaces } : {}),
  });
}

/** Compiles every adapter of a program, on the modules of a model that somebody else runs. */
export function compileAdapters(program: Program, shape: ModelShape, sizes: AdapterSizes): CompileResult {
  const told = checkSpaces(program);
  const { slots, placements, diagnostics: found } = select(program, shape);
  const diagnostics = [...told, ...found];
  if (diagnostics.some(d => d.severity === 'error')) return { compiled: undefined, diagnostics };
  const modules = shape.layers.flatMap(layer =>
    inputGroups(layer)
      .flat()
      .flatMap(linear => {
        const here = placements.get(linear.path);
        return here ? [{ linear, layer: layer.index, placements: here }] : [];
      }),
  );
  const compiled = build({
    name: program.file.replace(/^.*[\\/]/, '').replace(/\.mos$/, '') || 'adapters',
    sources: { program: sha256(JSON.stringify(program)), model: sha256(JSON.stringify(shape)) },
    origin: program.model.origin,
    slots,
    modules,
    sizes,
    train: program.train,
    ...(program.spaces ? { spaces: program.spaces } : {}),
  });
  return { compiled, diagnostics };
}

function build({ name, sources, origin, slots, modules, sizes, train, spaces }: AdapterPlan): Compiled {
  const store = new Store();
  const parameters = new ParameterSpace(train);
  const { tokens } = sizes;
  const all = { ...sizes, generateRows: 0, context: 0, prefillTokens: 0, logitRows: 0 };
  const lowering = new Lowering(store, parameters, all, slots.length, origin, undefined, new Spaces(spaces));
  const stacks = modules.map(({ linear, placements }) =>
    lowering.placeStack([linear], new Map([[linear.path, placements]])),
  );
  lowering.declareAdapterBuffers();
  const rows = { symbol: 'tokens', max: tokens } as const;
  const several = modules.length > 1;
  const outer = (matrixName: string, role: 'input' | 'output', width: number, ld: number) => {
    const value = matrix(matrixName, rows, width, ld);
    value.place = store.declare(several ? `${matrixName}.${ld}` : matrixName, role, tokens * ld * 4);
    return value;
  };
  const drafts = stacks.map(placed => {
    const { stack, source } = placed;
    const [{ linear }] = stack.modules;
    const shared = sharedPrograms(lowering, source, several ? placed : undefined);
    const x = outer('x', 'input', stack.width, stack.ldX);
    const dy = outer('dy', 'input', linear.out, stack.n);
    const dx = outer('dx', 'output', stack.width, stack.ldX);
    const graph = new Graph();
    const y = lowering.adapterAlone(graph, x, placed);
    y.place = outer('y', 'output', linear.out, stack.n).place!;
    const forward = [...graph.drafts(), ...shared.telemetry];
    const adjoint = differentiate(graph, new Map([[y, dy]]), new Map([[x, dx.place!]]));
    const programOf = (way: string) => `adapter.${way}${several ? ` ${linear.path}` : ''}`;
    return {
      forward: [programOf('forward'), forward] as [string, Draft[]],
      backward: [programOf('backward'), [...adjoint, ...shared.finishBackward]] as [string, Draft[]],
      module: linear.path,
      matrices: { x, y, dx, dy },
      columns: { in: stack.width, out: linear.out },
    };
  });
  const whole = { ...stacks[0].source, module: several ? 'all adapters' : modules[0].linear.path };
  const { files, ...tables } = assemble(
    [
      ['refresh', sharedPrograms(lowering, whole).refresh],
      ...drafts.map(d => d.forward),
      // what a forward pass leaves for its backward pass lives as long as if they ran in this order
      ...drafts.map(d => d.backward).reverse(),
      ['optimizer', optimizerProgram(store, parameters, train.clip, whole)],
    ],
    store,
  );
  const portMatrix = ({ place, ld }: Value, columns: number) => ({
    buffer: tables.buffers.findIndex(b => b.name === place!.buffer),
    columns,
    ld,
  });
  const ports = drafts.map(({ module, forward, backward, matrices: { x, y, dx, dy }, columns }) => ({
    module,
    forward: forward[0],
    backward: backward[0],
    x: portMatrix(x, columns.in),
    y: portMatrix(y, columns.out),
    dx: portMatrix(dx, columns.in),
    dy: portMatrix(dy, columns.out),
  }));
  const layers = new Map(modules.map(({ linear, layer }) => [linear.path, layer]));
  const plan: Plan = {
    format: PLAN_FORMAT,
    version: PLAN_VERSION,
    name,
    sources,
    requires: requirements(tables.buffers, tables.programs, tables.kernels),
    symbols: { tokens, targets: tokens, rows: sizes.rows },
    context: 0,
    slots,
    ...tablesOf(lowering, tables, layers),
    ports,
    evals: [],
  };
  return { plan, files };
}
