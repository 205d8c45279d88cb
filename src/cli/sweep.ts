/**
 * A file with a `sweep`: every variant has a folder of its own in OUT, with its plan, its run and a `result.json`. A
 * variant that finished is not run again as long as it means the same; one that fails is told and does not stop others.
 */
import { existsSync, mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { sha256 } from '../../compiler/plan/hash.ts';
import { type PlanSummary, summarise } from '../../compiler/summary.ts';
import {
  type Diagnostic,
  matchesVariant,
  meaningOf,
  type Needs,
  oneOf,
  type Variant,
} from '../../dsl/index.ts';
import { Fault, fault } from '../report/fault.ts';
import type { TrainArgs, TrainResult } from '../run/train.ts';
import { checkFile, compileInto, nameOf, outFolder, type ProgramValues } from './program.ts';
import { EXIT } from './supervise.ts';
import { type Row, resultsJson, resultsMarkdown, resultsText } from './sweep-results.ts';
import { Terminal } from './terminal.ts';

export interface SweepValues extends ProgramValues {
  only?: string[] | undefined;
  'dry-run'?: boolean | undefined;
  again?: boolean | undefined;
}

interface Sweep {
  /** Name of the file without its extension. */
  name: string;
  out: string;
  variants: Variant[];
}

/** The variants of a file that are asked for; undefined if it has no sweep. Warnings are shown, errors thrown. */
function openSweep(target: string, values: SweepValues, terminal: Terminal, needs: Needs): Sweep | undefined {
  const isFile = existsSync(target) && statSync(target).isFile();
  const { program, variants, diagnostics } = isFile
    ? checkFile(target, values, terminal, needs)
    : { program: undefined, variants: undefined, diagnostics: [] };
  if (isFile && !program) throw new Fault(diagnostics);
  if (!variants) {
    const option = (['only', 'dry-run', 'again'] as const).find(name => values[name] !== undefined);
    if (option)
      throw fault(
        'bad-argument',
        `\`--${option}\` is for a file with a \`sweep\`, and \`${target}\` has none`,
      );
    return undefined;
  }
  refuseSwept(variants, values);
  terminal.diagnostics(diagnostics);
  const { only } = values;
  const chosen = only
    ? variants.filter(({ name }) => only.some(pattern => matchesVariant(pattern, name)))
    : variants;
  if (chosen.length === 0) {
    const some = variants.slice(0, 4).map(({ name }) => name);
    throw fault('bad-argument', `\`--only\` selects none of ${variants.length} variants`, {
      help: `patterns are parts of names with \`*\`; names are ${oneOf(some, 'and')}${variants.length > 4 ? ' …' : ''}`,
    });
  }
  return { name: nameOf(target), out: outFolder(target, values), variants: chosen };
}

/** What an option says wins over the file, so a sweep over the same would be one program under several names. */
function refuseSwept(variants: Variant[], values: SweepValues): void {
  const swept = new Set(variants.flatMap(({ settings }) => settings.map(({ field }) => field)));
  for (const name of ['batch', 'lr', 'seed', 'model', 'data'] as const) {
    const fields = [name, `train.${name}`, `${name}.path`];
    const field = values[name] === undefined ? undefined : fields.find(one => swept.has(one));
    if (field !== undefined)
      throw fault('bad-argument', `\`--${name}\` says what the sweep over \`${field}\` is to vary`, {
        help: 'leave out the option, or take variants with `--only`',
      });
  }
}

/** Shows each warning once, though every variant may have it, and keeps the errors. */
class VariantTerminal extends Terminal {
  problem: string | undefined;
  readonly #shown = new Set<string>();

  override diagnostics(diagnostics: readonly Diagnostic[]): void {
    const fresh = diagnostics.filter(one => {
      const key = JSON.stringify([one.code, one.message, one.span?.start]);
      return one.severity === 'error' || (!this.#shown.has(key) && this.#shown.add(key));
    });
    this.problem = fresh.find(({ severity }) => severity === 'error')?.message ?? this.problem;
    super.diagnostics(fresh);
  }

  override bug(message: string, stack: string | undefined): void {
    this.problem = `a bug: ${message}`;
    super.bug(message, stack);
  }
}

/** A terminal for the variants, which leaves stdout to the table. */
function terminalFor({ sources }: Terminal): VariantTerminal {
  const own = new VariantTerminal();
  for (const [path, text] of sources) own.sources.set(path, text);
  return own;
}

/** Compiles every variant into `OUT/VARIANT/NAME.mosplan`; undefined if the file has no sweep. */
export function compileSweep(target: string, values: SweepValues, terminal: Terminal): number | undefined {
  const sweep = openSweep(target, values, terminal, {});
  if (!sweep) return undefined;
  if (values['dry-run']) return list(sweep, terminal, () => 'pending');
  const own = terminalFor(terminal);
  const plans: { name: string; plan?: string; problem?: string; summary?: PlanSummary }[] = [];
  const width = Math.max(...sweep.variants.map(({ name }) => name.length));
  for (const variant of sweep.variants) {
    const { name } = variant;
    const folder = join(sweep.out, name, `${sweep.name}.mosplan`);
    try {
      const summary = summarise(compileInto(folder, variant.program, [], own));
      plans.push({ name, plan: folder, summary });
      const { trainable, step } = summary;
      if (!terminal.json)
        terminal.out(
          `${name.padEnd(width)}  ${trainable.toLocaleString('en').padStart(11)} parameters, ${step.dispatches} dispatches a step`,
        );
    } catch (error) {
      plans.push({ name, problem: tell(error, name, own) });
    }
  }
  if (terminal.json) terminal.outJson({ version: 1, out: sweep.out, variants: plans });
  else
    terminal.out(
      `\n${plans.filter(({ plan }) => plan).length} of ${plans.length} plans written to ${sweep.out}`,
    );
  return plans.some(({ problem }) => problem !== undefined) ? EXIT.user : EXIT.ok;
}

/** Shows a fault and gives it in a line; a bug goes on to the top. */
function tell(error: unknown, name: string, own: VariantTerminal): string {
  if (!(error instanceof Fault)) throw error;
  own.note(`${name}:`);
  own.diagnostics(error.diagnostics);
  return error.diagnostics[0]?.message ?? '';
}

type State = 'pending' | 'done' | 'failed';

function list({ variants }: Sweep, terminal: Terminal, stateOf: (variant: Variant) => State): number {
  const states = variants.map(variant => ({
    name: variant.name,
    settings: variant.settings,
    state: stateOf(variant),
  }));
  if (terminal.json) terminal.outJson({ version: 1, variants: states });
  else for (const { name, state } of states) terminal.out(state === 'pending' ? name : `${name}  (${state})`);
  return EXIT.ok;
}

/** What `result.json` says. `key` changes with whatever would change the result. */
interface Saved {
  version: 1;
  key: string;
  state: 'started' | 'done' | 'failed';
  problem?: string;
  result?: TrainResult;
}

const resultFile = (out: string): string => join(out, 'result.json');

function readSaved(out: string): Saved | undefined {
  try {
    const saved = JSON.parse(readFileSync(resultFile(out), 'utf8')) as Saved;
    return saved.version === 1 ? saved : undefined;
  } catch {
    // Not there, or cut short: then the variant has not finished.
    return undefined;
  }
}

/** Writes beside the file and renames, so that a crash leaves the old one or the new one. */
function writeText(path: string, text: string): void {
  try {
    mkdirSync(dirname(path), { recursive: true });
    const aside = `${path}.tmp-${process.pid}`;
    writeFileSync(aside, text);
    renameSync(aside, path);
  } catch (error) {
    throw fault(
      'unwritable-file',
      `\`${path}\` cannot be written: ${error instanceof Error ? error.message : error}`,
    );
  }
}

const writeSaved = (out: string, saved: Saved): void =>
  writeText(resultFile(out), `${JSON.stringify(saved, null, 2)}\n`);

/** Trains one plan, whatever happens to the worker. */
export type TrainOne = (
  args: TrainArgs,
  resume: boolean,
  terminal: Terminal,
) => Promise<{ code: number; result?: TrainResult }>;

export interface SweepTraining {
  evaluate: boolean;
  steps?: number;
  train: TrainOne;
}

/** Trains every variant that has no result yet; undefined if the file has no sweep. */
export async function trainSweep(
  target: string,
  values: SweepValues,
  terminal: Terminal,
  how: SweepTraining,
): Promise<number | undefined> {
  const sweep = openSweep(target, values, terminal, { data: true });
  if (!sweep) return undefined;
  const { evaluate, steps } = how;
  const keyOf = ({ program }: Variant) =>
    sha256(JSON.stringify([meaningOf(program), steps ?? null, evaluate]));
  const savedOf = (variant: Variant): Saved | undefined => {
    const saved = readSaved(join(sweep.out, variant.name));
    return saved?.key === keyOf(variant) ? saved : undefined;
  };
  if (values['dry-run']) {
    return list(sweep, terminal, variant => {
      const state = savedOf(variant)?.state;
      return state === 'done' || state === 'failed' ? state : 'pending';
    });
  }
  const own = terminalFor(terminal);
  const rows: Row[] = [];
  let stopped: number | undefined;
  for (const [index, variant] of sweep.variants.entries()) {
    const { name, settings } = variant;
    const base = { name, settings, ...(variant.sweep !== undefined && { sweep: variant.sweep }) };
    const saved = savedOf(variant);
    const place = `[${index + 1}/${sweep.variants.length}] ${name}`;
    if (saved?.state === 'done' && saved.result && !values.again) {
      if (stopped === undefined) own.note(`${place}: done before`);
      rows.push({ ...base, state: 'done', result: saved.result });
      continue;
    }
    if (stopped !== undefined) {
      rows.push({ ...base, state: 'pending' });
      continue;
    }
    own.note(place);
    const resume = saved?.state === 'started' && !values.again;
    const { code, row } = await trainVariant(variant, keyOf(variant), sweep, { ...how, resume }, own);
    if (code === EXIT.interrupted || code === EXIT.terminated) stopped = code;
    rows.push({ ...base, ...row });
    save(sweep.out, target, rows);
  }
  save(sweep.out, target, rows);
  if (terminal.json) terminal.outJson({ ...resultsJson(target, rows), out: sweep.out });
  else terminal.out(`${resultsText(rows)}\n\nwritten to ${join(sweep.out, 'results.md')} and results.json`);
  return stopped ?? (rows.some(({ state }) => state === 'failed') ? EXIT.user : EXIT.ok);
}

async function trainVariant(
  { name, program }: Variant,
  key: string,
  sweep: Sweep,
  { evaluate, steps, train, resume }: SweepTraining & { resume: boolean },
  own: VariantTerminal,
): Promise<{ code: number; row: Pick<Row, 'state' | 'problem' | 'result'> }> {
  const out = join(sweep.out, name);
  const failed = (code: number, problem: string) => {
    writeSaved(out, { version: 1, key, state: 'failed', problem });
    return { code, row: { state: 'failed', problem } as const };
  };
  own.problem = undefined;
  try {
    const folder = join(out, `${sweep.name}.mosplan`);
    compileInto(folder, program, [], own);
    writeSaved(out, { version: 1, key, state: 'started' });
    const args = { plan: folder, out, evaluate, ...(steps === undefined ? {} : { steps }) };
    const { code, result } = await train(args, resume, own);
    if (code === EXIT.interrupted || code === EXIT.terminated || result?.stopped) {
      return { code: code === EXIT.ok ? EXIT.interrupted : code, row: { state: 'pending' } };
    }
    if (code !== EXIT.ok || !result) return failed(code, own.problem ?? 'the worker gave no result');
    writeSaved(out, { version: 1, key, state: 'done', result });
    return { code, row: { state: 'done', result } };
  } catch (error) {
    return failed(EXIT.user, tell(error, name, own));
  }
}

function save(out: string, target: string, rows: Row[]): void {
  writeText(join(out, 'results.json'), `${JSON.stringify(resultsJson(target, rows), null, 2)}\n`);
  writeText(join(out, 'results.md'), resultsMarkdown(rows));
}
