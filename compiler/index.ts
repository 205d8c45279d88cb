/**
 * The compiler: checked program + model shape → plan. Pure and deterministic; no file, process or GPU.
 */
import type { Diagnostic } from '../dsl/diagnostics/diagnostic.ts';
import { meaningOf } from '../dsl/meaning.ts';
import type { Program } from '../dsl/program.ts';
import { assemble } from './assemble.ts';
import { differentiate } from './differentiate.ts';
import type { Draft, Source } from './graph.ts';
import { Lowering, type Mode, type Sizes } from './lower.ts';
import { logitColumns } from './operations/head.ts';
import { ParameterSpace } from './parameters.ts';
import { sha256 } from './plan/hash.ts';
import type { ModelShape } from './plan/model.ts';
import { requirements } from './plan/requirements.ts';
import type { Plan } from './plan/schema.ts';
import { storagesFor } from './plan/storage.ts';
import { PLAN_FORMAT, PLAN_VERSION } from './plan/version.ts';
import { differentiateLayers, lowestAdapted } from './recompute.ts';
import { select } from './select.ts';
import { optimizerProgram, sharedPrograms, tablesOf } from './shared.ts';
import { checkSpaces } from './spaces/check.ts';
import { Spaces } from './spaces/resolve.ts';
import { Store } from './store.ts';

/** WebGPU's default limit of one binding. */
export const PORTABLE_BYTES = 128 * 2 ** 20;

export interface CompileOptions {
  /** Adds a program `logits` that leaves the logits of every target behind (verification). */
  logits?: boolean;
  /** Largest matrix of logits that training keeps at a time, in bytes (tests). Default: what one binding can hold. */
  logitsBytes?: number;
  /**
   * Largest piece of an embedding or a head, in bytes; larger ones are cut by rows. Default: 1 GiB, which most devices
   * bind at once. `PORTABLE_BYTES` is what every WebGPU device does.
   */
  bindingBytes?: number;
  /**
   * Room for generation: sequences at a time, instead of what the `eval` blocks ask for, and tokens of the longest, if that is
   * more.
   */
  generation?: { rows?: number; context?: number };
  /** How a path of the program, relative to `baseDir`, is written into the plan. Default: as it stands. */
  pathOf?: (path: string, baseDir: string) => string;
}

export interface Compiled {
  plan: Plan;
  /** WGSL text by path inside the plan folder. */
  files: Map<string, string>;
}

export type CompileResult =
  | { compiled: Compiled; diagnostics: Diagnostic[] }
  | { compiled: undefined; diagnostics: Diagnostic[] };

/** Sequences generated together when no `eval` block says otherwise, and tokens generated at most. */
const DEFAULT_GENERATE = { batch: 8, maxTokens: 64 };

/** Tokens that `prefill` takes at a time even if training batches are smaller. */
const PREFILL_TOKENS = 512;

/** Compiles a program for a model. Problems that need the model (targets, layers, ranks) come back as diagnostics. */
export function compile(program: Program, shape: ModelShape, options: CompileOptions = {}): CompileResult {
  const told = checkSpaces(program);
  if (told.some(d => d.severity === 'error')) return { compiled: undefined, diagnostics: told };
  const selection = select(program, shape);
  if (selection.diagnostics.some(d => d.severity === 'error'))
    return { compiled: undefined, diagnostics: [...told, ...selection.diagnostics] };

  const store = new Store();
  const parameters = new ParameterSpace(program.train);
  const sizes = sizesOf(program, shape, options);
  const storages = storagesFor(program.model.dtype, shape.dtype);
  const lowering = new Lowering(
    store,
    parameters,
    sizes,
    selection.slots.length,
    program.model.origin,
    storages,
    new Spaces(program.spaces),
  );
  lowering.placeModel(shape, selection.placements);
  lowering.declareAdapterBuffers();
  const source: Source = { ...pick(program.model.origin), module: 'all adapters' };

  const shared = sharedPrograms(lowering, source);
  const forward = (mode: Mode): Draft[] => lowering.model(shape, mode).graph.drafts();
  const train = lowering.model(shape, 'train');
  const { input, gradient } = train.loss!;
  const seeds = new Map([[input, gradient!]]);
  const lowest = lowestAdapted(shape, selection.placements);
  const backward =
    program.train.recompute === 'layer'
      ? differentiateLayers(train.graph, train.trunk, seeds, lowest)
      : differentiate(train.graph, seeds);
  const programs: [string, Draft[]][] = [
    ['refresh', shared.refresh],
    ['forward', [...train.graph.drafts(), ...shared.telemetry]],
    ['backward', [...backward, ...shared.finishBackward]],
    ['optimizer', optimizerProgram(store, parameters, program.train.clip, source)],
    ['evaluate', [...forward('evaluate'), ...shared.telemetry]],
    ['prefill', forward('prefill')],
    ['decode', forward('decode')],
  ];
  if (options.logits) programs.push(['logits', forward('logits')]);

  const pathOf = options.pathOf ?? (path => path);
  const pathsOf = ({ paths, baseDir }: { paths: string[]; baseDir: string }) =>
    paths.map(p => pathOf(p, baseDir));
  const { files, ...tables } = assemble(programs, store);
  const layers = new Map(
    shape.layers.flatMap(l => [l.q, l.k, l.v, l.o, l.gate, l.up, l.down].map(m => [m.path, l.index])),
  );
  const plan: Plan = {
    format: PLAN_FORMAT,
    version: PLAN_VERSION,
    name: program.file.replace(/^.*[\\/]/, '').replace(/\.mos$/, '') || 'plan',
    sources: { program: sha256(meaningOf(program)), model: sha256(JSON.stringify(shape)) },
    requires: requirements(tables.buffers, tables.programs, tables.kernels),
    symbols: { tokens: lowering.maxTokens, targets: lowering.maxTokens, rows: lowering.maxRows },
    context: sizes.context,
    generation: {
      rows: sizes.generateRows,
      tokens: sizes.prefillTokens,
      columns: logitColumns(shape.vocabulary),
    },
    model: {
      path: pathOf(program.model.path, program.model.baseDir),
      family: shape.family,
      vocabulary: shape.vocabulary,
    },
    slots: selection.slots,
    ...tablesOf(lowering, tables, layers),
    training: training(program, lengthOf(program, shape)),
    ...(program.data
      ? {
          data: {
            ...datasetOf(program.data),
            length: lengthOf(program, shape),
            paths: pathsOf(program.data),
          },
        }
      : {}),
    evals: program.evals.map(block => {
      const { name, format, metric, maxTokens, batch, limit } = block;
      return {
        name,
        paths: pathsOf(block),
        format,
        metric,
        maxTokens,
        batch,
        ...(limit === undefined ? {} : { limit }),
      };
    }),
  };
  return { compiled: { plan, files }, diagnostics: [...told, ...selection.diagnostics] };
}

/** Tokens of the longest sample that is trained on: what is asked for, but not more than the model can see. */
function lengthOf({ data }: Program, shape: ModelShape): number {
  return Math.min(data?.length ?? 512, shape.maxPositions);
}

function sizesOf(program: Program, shape: ModelShape, options: CompileOptions): Sizes {
  const length = lengthOf(program, shape);
  const { batch } = program.train;
  const { rows, context: wanted = 0 } = options.generation ?? {};
  const generateRows = rows ?? Math.max(...program.evals.map(e => e.batch), DEFAULT_GENERATE.batch);
  const longest = Math.max(...program.evals.map(e => e.maxTokens), DEFAULT_GENERATE.maxTokens);
  const context = Math.min(Math.max(length + longest, wanted), shape.maxPositions);
  const tokens = batch * length;
  const { logitsBytes, bindingBytes } = options;
  const logitRows = options.logits ? Math.max(tokens, generateRows) : generateRows;
  return {
    tokens,
    rows: batch,
    generateRows,
    // as many as a training batch has, so that both have scratch buffers of the same sizes
    prefillTokens: Math.min(generateRows * context, Math.max(tokens, PREFILL_TOKENS)),
    context,
    logitRows,
    ...(logitsBytes ? { logitsBytes } : {}),
    ...(bindingBytes ? { bindingBytes } : {}),
  };
}

function training({ train }: Program, length: number): Plan['training'] {
  const { steps, batch, accumulate, schedule, seed, logEvery, validateEvery, patience, checkpointEvery } =
    train;
  return {
    steps,
    batch,
    accumulate,
    length,
    schedule,
    seed,
    logEvery,
    validateEvery,
    patience,
    checkpointEvery,
  };
}

function datasetOf({
  format,
  validation,
  loss,
}: NonNullable<Program['data']>): Omit<NonNullable<Plan['data']>, 'paths' | 'length'> {
  return { format, validation, loss };
}

const pick = ({ file, line, column }: Program['model']['origin']) => ({ file, line, column });
