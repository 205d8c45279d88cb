/** Whether a plan fits the memory there is, told before anything is loaded; if not, which settings would make it fit. */
import { compile } from '../../compiler/index.ts';
import type { ModelShape } from '../../compiler/plan/model.ts';
import type { Program } from '../../dsl/program.ts';
import { type Fault, fault } from '../report/fault.ts';

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

const bytesOf = (program: Program, shape: ModelShape): number =>
  compile(program, shape).compiled?.plan.requires.bytes ?? Number.POSITIVE_INFINITY;

/** Throws `not-enough-memory`, with what each setting alone would need, or all of them together until it fits. */
export function checkMemory(program: Program, shape: ModelShape, needed: number, available: number): void {
  if (needed > available) throw tooLarge(program, shape, needed, available);
}

/** Rounds of changes to try; each halves what it can. */
const ROUNDS = 8;

function tooLarge(program: Program, shape: ModelShape, needed: number, available: number): Fault {
  const single = changes(program, shape).map(({ what, program: changed }) => ({
    what,
    bytes: bytesOf(changed, shape),
  }));
  const notes = single.map(
    ({ what, bytes }) => `${what} needs ${sizeText(bytes)}${bytes <= available ? ', which fits' : ''}`,
  );
  const fits = single.find(({ bytes }) => bytes <= available);
  return fault(
    'not-enough-memory',
    `the plan needs ${sizeText(needed)} of GPU memory, and ${sizeText(available)} are there`,
    {
      notes,
      help: fits ? `write ${fits.what}` : together(program, shape, available),
    },
  );
}

/** The gentlest changes, one after another, until it fits. */
function together(program: Program, shape: ModelShape, available: number): string {
  let current = program;
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
      const bytes = bytesOf(current, shape);
      if (bytes <= available) return `write ${[...made.values()].join(', ')}: together ${sizeText(bytes)}`;
    }
  }
  return `even ${[...made.values()].join(', ')} need ${sizeText(bytesOf(current, shape))}: use a smaller base model`;
}

function sizeText(bytes: number): string {
  return bytes >= 1e9 ? `${(bytes / 2 ** 30).toFixed(2)} GiB` : `${(bytes / 2 ** 20).toFixed(1)} MiB`;
}
