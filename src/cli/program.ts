/**
 * From what a person names on the command line, a `.mos` file or a plan folder, to a plan folder that a worker can
 * open. Warnings are shown, errors thrown as one fault.
 */
import { existsSync, readFileSync, statSync } from 'node:fs';
import { basename, isAbsolute, join, relative, resolve, sep } from 'node:path';
import { type CompileOptions, compile, PORTABLE_BYTES } from '../../compiler/index.ts';
import type { Plan } from '../../compiler/plan/schema.ts';
import {
  type Checked,
  check,
  type Diagnostic,
  type Needs,
  type Overrides,
  type Program,
} from '../../dsl/index.ts';
import { findModel, modelNotFound } from '../model/cache.ts';
import { hasWeights, openCheckpoint } from '../model/checkpoint.ts';
import { readConfig } from '../model/config.ts';
import { Fault, fault } from '../report/fault.ts';
import { bytesText } from '../report/units.ts';
import { isPlanFolder, readPlan, writePlan } from '../run/plan-folder.ts';
import { trust } from '../run/trust.ts';
import { numberOption, type Options } from './command.ts';
import { bytesOption, checkMemory, peakOf, type Uses, type Wanted } from './memory.ts';
import type { Terminal } from './terminal.ts';

/** Options for files with a `sweep`. */
export const SWEEP_OPTIONS = {
  only: {
    type: 'string',
    value: 'PATTERN',
    multiple: true,
    about: 'of a sweep, the variants that match: `seed=2`, `experts=*sphere*,lr=1e-3`',
  },
  'dry-run': { type: 'boolean', about: 'list the variants of a sweep and do nothing' },
} as const satisfies Options;

/** Options that stand in for lines of the file. */
export const PROGRAM_OPTIONS = {
  model: { type: 'string', value: 'DIR', about: 'base model, instead of the `model` block' },
  data: {
    type: 'string',
    value: 'FILE',
    multiple: true,
    about: 'training data, instead of the `data` block',
  },
  batch: { type: 'string', value: 'N', about: 'sequences per micro-batch' },
  lr: { type: 'string', value: 'RATE', about: 'learning rate of the adapters' },
  seed: { type: 'string', value: 'N', about: 'seed of everything random' },
  memory: {
    type: 'string',
    value: 'SIZE',
    about: 'GPU memory there is, such as 8GiB: refuse what needs more, and say what would fit',
  },
  portable: {
    type: 'boolean',
    about: "cut large token tables to fit WebGPU's default limits, 128 MiB a binding",
  },
  'trust-plan': {
    type: 'boolean',
    about:
      'of a plan that came from elsewhere, also run the kernels that need experimental features of the GPU',
  },
  out: { type: 'string', short: 'o', value: 'DIR', about: 'where results go (default: runs/NAME)' },
} as const satisfies Options;

export interface ProgramValues {
  model?: string | undefined;
  data?: string[] | undefined;
  batch?: string | undefined;
  lr?: string | undefined;
  seed?: string | undefined;
  memory?: string | undefined;
  portable?: boolean | undefined;
  'trust-plan'?: boolean | undefined;
  out?: string | undefined;
}

function overridesOf({ model, data, batch, lr, seed }: ProgramValues): Overrides {
  const whole = { integer: true, min: 1 };
  const given = {
    model,
    data,
    batch: numberOption('batch', batch, whole),
    lr: numberOption('lr', lr, { min: 0 }),
    seed: numberOption('seed', seed, { integer: true, min: 0, max: 2 ** 32 - 1 }),
  };
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
}

/** Largest `.mos` file that is read. */
const MAX_SOURCE = 16 * 2 ** 20;

function readText(path: string): string | undefined {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (!stat?.isFile()) return undefined;
  if (stat.size > MAX_SOURCE) throw fault('file-too-large', `\`${path}\` is larger than any program`);
  return readFileSync(path, 'utf8');
}

/** Reads and checks a file. Shows warnings; returns no program when there are errors, which are in `diagnostics`. */
export function checkFile(
  file: string,
  values: ProgramValues,
  terminal: Terminal,
  needs: Needs = {},
): Omit<Checked, 'sources'> {
  const text = readText(file);
  if (text === undefined) throw fault('file-not-found', `there is no file \`${file}\``);
  const { sources, ...checked } = check(file, text, {
    readFile: readText,
    overrides: overridesOf(values),
    needs,
  });
  for (const [path, source] of sources) terminal.sources.set(path, source);
  return checked;
}

export interface PlanOnDisk {
  plan: Plan;
  folder: string;
  /** Where results of runs go. */
  out: string;
  /** What was compiled, unless the plan was there already. */
  wanted?: () => Wanted;
}

/** Where results of runs with `target` go. */
export const outFolder = (target: string, values: ProgramValues): string =>
  values.out ?? join('runs', nameOf(target));

export const nameOf = (target: string): string => basename(resolve(target)).replace(/\.(mos|mosplan)$/, '');

/** Compiles a file into `OUT/NAME.mosplan`, or reads the plan folder it is given. */
export function planFor(
  target: string,
  values: CompileValues,
  terminal: Terminal,
  needs: Needs = {},
): PlanOnDisk {
  const { use, generation } = values;
  const name = nameOf(target);
  const out = outFolder(target, values);
  if (isPlanFolder(target)) {
    const given = (['model', 'data', 'batch', 'lr', 'seed'] as const).find(
      option => values[option] !== undefined,
    );
    if (given)
      throw fault(
        'bad-argument',
        `\`--${given}\` changes the program, but \`${target}\` is compiled already`,
        { help: 'give the `.mos` file instead' },
      );
    const { plan } = readPlan(target);
    if (values['trust-plan']) trust(plan);
    tellPeak(plan, values, terminal, use);
    return { plan, folder: target, out };
  }
  if (existsSync(target) && statSync(target).isDirectory())
    throw fault('file-not-found', `\`${target}\` is a folder without a plan.json`);
  const checked = checkFile(target, values, terminal, needs);
  if (!checked.program) throw new Fault(checked.diagnostics);
  if (checked.variants)
    throw fault('several-programs', `\`${target}\` is a sweep of ${checked.variants.length} programs`);
  // a plan with other room for generation does not take the place of the one that is trained
  const folder = join(out, `${name}${generation ? '.generation' : ''}.mosplan`);
  const { program, diagnostics } = checked;
  const plan = compileInto(folder, program, diagnostics, terminal, values);
  tellPeak(plan, {}, terminal, use);
  const wanted = () => ({
    program,
    shape: shapeOf(program),
    use: use ?? 'training',
    options: optionsOf(folder, program, values),
  });
  return { plan, folder, out, wanted };
}

/** Before anything is loaded: what it will need. A plan that is compiled already can be refused, but not changed. */
function tellPeak(plan: Plan, { memory }: ProgramValues, terminal: Terminal, use: Uses | undefined): void {
  if (use === undefined) return;
  const needed = peakOf(plan, use);
  if (memory !== undefined && needed > bytesOption('memory', memory))
    throw fault(
      'not-enough-memory',
      `the plan needs ${bytesText(needed)} of GPU memory, and ${memory} are there`,
    );
  terminal.note(`${bytesText(needed)} of GPU memory are needed`);
}

export interface CompileValues extends ProgramValues, Pick<CompileOptions, 'generation'> {
  /** What `memory` has to be enough for. */
  use?: Uses | undefined;
}

export function compileInto(
  folder: string,
  program: Program,
  warnings: Diagnostic[],
  terminal: Terminal,
  values: CompileValues = {},
): Plan {
  const shape = shapeOf(program);
  const options = optionsOf(folder, program, values);
  const { compiled, diagnostics } = compile(program, shape, options);
  if (!compiled) throw new Fault([...warnings, ...diagnostics]);
  terminal.diagnostics([...warnings, ...diagnostics]);
  const { memory, use = 'training' } = values;
  if (memory !== undefined)
    checkMemory({ program, shape, use, options }, peakOf(compiled.plan, use), bytesOption('memory', memory));
  writePlan(folder, compiled.plan, compiled.files);
  trust(compiled.plan);
  return compiled.plan;
}

function optionsOf(
  folder: string,
  program: Program,
  { portable, generation }: CompileValues,
): CompileOptions {
  return {
    pathOf: (path, base) => pinnedModel(program, path) ?? fromFolder(folder, path, base),
    ...(portable ? { bindingBytes: PORTABLE_BYTES } : {}),
    ...(generation ? { generation } : {}),
  };
}

/** The base model's shape; a missing one is reported at its place in the program. */
export function shapeOf({ model }: Program) {
  const { path, baseDir, origin } = model;
  const found = findModel(path, baseDir);
  if (!found) throw modelNotFound(path, origin.line > 0 ? { span: origin } : {});
  const { folder } = found;
  // Headers only; without weights a plan can still be compiled.
  if (model.dtype !== 'auto' || !hasWeights(folder)) return readConfig(folder);
  const checkpoint = openCheckpoint(folder);
  checkpoint.close();
  return checkpoint.shape;
}

/** How a plan names the program's base model if that is a cached repository: by its commit, which never changes. */
export const pinnedModel = ({ model }: Program, path: string): string | undefined =>
  path === model.path ? findModel(path, model.baseDir)?.pinned : undefined;

/** Paths in a plan are relative to its folder, with forward slashes, so that it can be moved with what it names. */
function fromFolder(folder: string, path: string, baseDir: string): string {
  if (isAbsolute(path)) return path;
  return relative(resolve(folder), resolve(baseDir, path)).split(sep).join('/');
}

export const adapterFolder = (out: string): string => join(out, 'adapter');
