/**
 * The adapter alone: a plan whose programs `adapter.forward` and `adapter.backward` map x to Δy and dy to dx and the
 * gradients of the adapter, without a base model. For engines that own their base, and for checking the mathematics.
 *
 * Buffers: `x`, `dx` [tokens, in padded to 4], `y`, `dy` [tokens, Σ out padded to 8], all f32, padding zero.
 */
import type { AdapterBlock, Program, TrainBlock } from '../dsl/program.ts';
import { assemble } from './assemble.ts';
import { differentiate } from './differentiate.ts';
import { Graph, matrix } from './graph.ts';
import type { Compiled } from './index.ts';
import { Lowering } from './lower.ts';
import { ParameterSpace } from './parameters.ts';
import { sha256 } from './plan/hash.ts';
import type { LinearShape } from './plan/model.ts';
import { requirements } from './plan/requirements.ts';
import type { Plan } from './plan/schema.ts';
import { PLAN_FORMAT, PLAN_VERSION } from './plan/version.ts';
import { optimizerProgram, sharedPrograms, siteTable } from './shared.ts';
import { Spaces } from './spaces/resolve.ts';
import { Store } from './store.ts';

/** Compiles one adapter on one linear layer for batches of up to `tokens` rows. */
export function compileAdapter(
  block: AdapterBlock,
  linear: LinearShape,
  tokens: number,
  train: TrainBlock,
  spaces?: Program['spaces'],
): Compiled {
  const store = new Store();
  const parameters = new ParameterSpace(train);
  const sizes = { tokens, rows: 1, generateRows: 0, context: 0, prefillTokens: 0, logitRows: 0 };
  const lowering = new Lowering(store, parameters, sizes, 1, block.origin, undefined, new Spaces(spaces));
  const placed = lowering.placeStack([linear], new Map([[linear.path, [{ block, slot: 0 }]]]));
  lowering.declareAdapterBuffers();
  const { stack, source } = placed;
  const shared = sharedPrograms(lowering, source);

  const rows = { symbol: 'tokens', max: tokens } as const;
  const outer = (name: string, role: 'input' | 'output', width: number, ld: number) => {
    const value = matrix(name, rows, width, ld);
    value.place = store.declare(name, role, tokens * ld * 4);
    return value;
  };
  const x = outer('x', 'input', stack.width, stack.ldX);
  const dy = outer('dy', 'input', linear.out, stack.n);
  const dx = store.declare('dx', 'output', tokens * stack.ldX * 4);
  const graph = new Graph();
  const y = lowering.adapterAlone(graph, x, placed);
  y.place = store.declare('y', 'output', tokens * stack.n * 4);

  const { files, ...tables } = assemble(
    [
      ['refresh', shared.refresh],
      ['adapter.forward', [...graph.drafts(), ...shared.telemetry]],
      [
        'adapter.backward',
        [...differentiate(graph, new Map([[y, dy]]), new Map([[x, dx]])), ...shared.finishBackward],
      ],
      ['optimizer', optimizerProgram(store, parameters, train.clip, source)],
    ],
    store,
  );
  const origins = [...tables.origins];
  const plan: Plan = {
    format: PLAN_FORMAT,
    version: PLAN_VERSION,
    name: linear.path,
    sources: { program: sha256(JSON.stringify(block)), model: sha256(JSON.stringify(linear)) },
    requires: requirements(tables.buffers, tables.programs, tables.kernels),
    symbols: { tokens, targets: tokens, rows: 1 },
    context: 0,
    slots: [block.name],
    ...tables,
    origins,
    groups: parameters.groups,
    groupRuns: parameters.groupRuns(),
    parameters: parameters.parameters,
    sites: siteTable(
      lowering,
      () => 0,
      s => origins.push(s) - 1,
    ),
    evals: [],
  };
  return { plan, files };
}
