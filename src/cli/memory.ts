/** Whether a plan fits the memory there is, told before anything is loaded; if not, which settings would make it fit. */
import { type CompileOptions, compile, PORTABLE_BYTES } from '../../compiler/index.ts';
import type { ModelShape } from '../../compiler/plan/model.ts';
import type { Plan } from '../../compiler/plan/schema.ts';
import type { Use } from '../../compiler/plan/uses.ts';
import type { Diagnostic } from '../../dsl/diagnostics/diagnostic.ts';
import type { Program } from '../../dsl/program.ts';
import { fault } from '../report/fault.ts';

const UNITS: Record<string, number> = {
  B: 1,
  KB: 1e3,
  MB: 1e6,
  GB: 1e9,
  TB: 1e12,
  KIB: 2 ** 10,
  MIB: 2 ** 20,
  GIB: 2 ** 30,
  TIB: 2 ** 40,
};

/** Reads `8GiB`, `8 GB` or `500MB`. */
export function bytesOption(name: string, text: string): number {
  const [, number, unit] = /^\s*(\d+(?:\.\d+)?)\s*([A-Za-z]+)\s*$/.exec(text) ?? [];
  const factor = unit === undefined ? undefined : UNITS[unit.toUpperCase()];
  if (factor === undefined)
    throw fault('bad-argument', `\`--${name}\` needs a size with its unit, such as 8GiB, not \`${text}\``);
  return Number(number) * factor;
}

interface Change {
  /** As it would be written. */
  what: string;
  program: Program;
}

/** Single settings that need less memory, gentlest first: the first two change numbers by rounding at most. */
function changes(program: Program, shape: ModelShape): Change[] {
  const { train, data, model } = program;
  const list: Change[] = [];
  if (train.recompute !== 'layer')
    list.push({
      what: '`recompute: layer` in `train`',
      program: { ...program, train: { ...train, recompute: 'layer' } },
    });
  if (train.batch > 1) {
    const [batch, accumulate] = [Math.ceil(train.batch / 2), train.accumulate * 2];
    list.push({
      what: `\`batch: ${batch}; accumulate: ${accumulate}\` in \`train\``,
      program: { ...program, train: { ...train, batch, accumulate } },
    });
  }
  const now = model.dtype === 'auto' ? (shape.dtype ?? 'f32') : model.dtype;
  const dtype = (
    { f32: 'f16', bf16: 'int8', f16: 'int8', int8: 'nf4', int4: undefined, nf4: undefined } as const
  )[now];
  if (dtype)
    list.push({
      what: `\`dtype: ${dtype}\` in \`model\``,
      program: { ...program, model: { ...model, dtype } },
    });
  if (data && data.length > 64) {
    const length = Math.ceil(data.length / 2);
    list.push({
      what: `\`length: ${length}\` in \`data\``,
      program: { ...program, data: { ...data, length } },
    });
  }
  return list;
}

/** What a plan is used for: one thing, or training with evaluations in between. */
export type Uses = Use | 'both';

/** GPU memory that a use of a plan needs at its peak, in bytes. */
export const peakOf = ({ requires }: Plan, use: Uses): number =>
  use === 'both' ? requires.bytes : requires.peak[use];

/** A program, what it is to be compiled for, and how. */
export interface Wanted {
  program: Program;
  shape: ModelShape;
  use: Uses;
  options?: CompileOptions;
}

/** Compiles for real: an estimate would have to know all that the compiler knows. */
function bytesOf({ program, shape, use, options }: Wanted): number {
  const { compiled } = compile(program, shape, options);
  return compiled ? peakOf(compiled.plan, use) : Number.POSITIVE_INFINITY;
}

/** Throws `not-enough-memory` with what each setting alone would need, or all of them together until it fits. */
export function checkMemory(wanted: Wanted, needed: number, available: number): void {
  if (needed <= available) return;
  throw fault(
    'not-enough-memory',
    `${USES[wanted.use]} needs ${sizeText(needed)} of GPU memory, and ${sizeText(available)} are there`,
    advice(wanted, needed, available),
  );
}

const USES: Record<Uses, string> = {
  training: 'training',
  generation: 'generation',
  both: 'training with evaluations',
};

/** Rounds of changes to try; each halves what it can. */
const ROUNDS = 8;

/** Which settings need less than `needed`, and what to write so that `available` bytes are enough. */
export function advice(
  wanted: Wanted,
  needed: number,
  available = Number.NEGATIVE_INFINITY,
): { notes: string[]; help?: string } {
  const single = changes(wanted.program, wanted.shape)
    .map(({ what, program }) => ({ what, bytes: bytesOf({ ...wanted, program }) }))
    .filter(({ bytes }) => bytes < needed);
  const notes = single.map(
    ({ what, bytes }) => `${what} needs ${sizeText(bytes)}${bytes <= available ? ', which fits' : ''}`,
  );
  if (available < 0) return { notes };
  const fits = single.find(({ bytes }) => bytes <= available);
  return { notes, help: fits ? `write ${fits.what}` : together(wanted, available) };
}

/** The gentlest changes, one after another, until it fits. */
function together(wanted: Wanted, available: number): string {
  const { shape } = wanted;
  let current = wanted.program;
  const made = new Map<string, string>();
  for (let round = 0; round < ROUNDS; round++) {
    const possible = changes(current, shape);
    if (possible.length === 0) break;
    for (const { what } of possible) {
      const next = changes(current, shape).find(c => c.what === what);
      if (!next) continue;
      current = next.program;
      // a setting that is halved twice is written once
      made.set(what.replace(/: .*/, ''), what);
      const bytes = bytesOf({ ...wanted, program: current });
      if (bytes <= available) return `write ${[...made.values()].join(', ')}: together ${sizeText(bytes)}`;
    }
  }
  return `even ${[...made.values()].join(', ')} need ${sizeText(bytesOf({ ...wanted, program: current }))}: use a smaller base model`;
}

/** Adds to a device that is too small what other settings would need of it. */
export function withAdvice(
  diagnostics: readonly Diagnostic[],
  wanted: (() => Wanted) | undefined,
): readonly Diagnostic[] {
  const [first, ...rest] = diagnostics;
  const tried = ['gpu-out-of-memory', 'gpu-limit'].includes(first?.code) ? wanted?.() : undefined;
  if (!tried) return diagnostics;
  const notes = first.code === 'gpu-limit' ? portableNotes(tried) : advice(tried, bytesOf(tried)).notes;
  return [{ ...first, notes: [...(first.notes ?? []), ...notes] }, ...rest];
}

function portableNotes({ program, shape, options }: Wanted): string[] {
  if (options?.bindingBytes === PORTABLE_BYTES) return [];
  const { compiled } = compile(program, shape, { ...options, bindingBytes: PORTABLE_BYTES });
  const limits = Object.entries(compiled?.plan.requires.limits ?? {}).map(
    ([limit, value]) => `${limit} ${value}`,
  );
  return [`\`--portable\` needs ${limits.join(', ') || "no more than WebGPU's default limits"}`];
}

function sizeText(bytes: number): string {
  return bytes >= 1e9 ? `${(bytes / 2 ** 30).toFixed(2)} GiB` : `${(bytes / 2 ** 20).toFixed(1)} MiB`;
}
