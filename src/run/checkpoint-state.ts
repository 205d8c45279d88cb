/**
 * What a checkpoint holds besides tensors: everything that decides how a run goes on, and what the run was made of, so
 * that a resumed one can tell whether it is still the same.
 */
import { createHash } from 'node:crypto';
import { createRequire } from 'node:module';
import { z } from 'zod';
import type { Plan } from '../../compiler/plan/schema.ts';
import { fault } from '../report/fault.ts';

const count = z.int().min(0);
const hash = z.string().regex(/^[0-9a-f]{64}$/);
/** JSON has no NaN: a loss that is not finite is stored as null. */
const number = z.number().nullable();
const text = z.string().max(4096);

export const identitySchema = z.strictObject({
  /** The plan with its kernels, see `planHash`. */
  plan: hash,
  /** Where each parameter lies: tensors of another layout cannot be loaded at all. */
  layout: hash,
  data: hash,
  /** Configuration, headers and the values that were read of the base checkpoint. */
  base: hash,
  device: text,
  /** Whether the executor took the hardware variants of kernels. */
  hardware: z.boolean(),
  runtime: text,
  webgpu: text,
});
export type Identity = z.infer<typeof identitySchema>;

const scoreSchema = z.strictObject({
  correct: count,
  total: count,
  accuracy: z.number(),
  low: z.number(),
  high: z.number(),
});

export const stateSchema = z.strictObject({
  format: z.literal('mos-checkpoint'),
  version: z.literal(0),
  /** Optimiser steps done, those among them that changed the parameters, and the next micro-batch. */
  step: count,
  updates: count,
  position: count,
  /** Checkpoints are taken between optimiser steps only, so no gradient is ever half accumulated. */
  micro: z.literal(0),
  seed: count,
  /** Steps skipped for a gradient that was not finite: in a row just now, and in all. */
  skippedInRow: count,
  skipped: count,
  /** What the loss is multiplied by where gradients pass through f16, and the good steps since it changed. */
  lossScale: z
    .strictObject({ scale: z.number().min(1), good: count })
    .nullable()
    .default(null),
  loss: number,
  /** The step after which validation last ran, and what it said. */
  validated: z.strictObject({ step: count, loss: number }).nullable(),
  best: z.strictObject({ step: count, loss: z.number() }).nullable(),
  /** Validations since the best one. */
  waited: count,
  /** The run was at its end. */
  finished: z.boolean(),
  /** Bytes of log.jsonl up to here; what follows belongs to steps that will be done again. */
  logBytes: count,
  /** Scores before training. */
  before: z.array(z.strictObject({ name: text, score: scoreSchema })),
  /** Why the numbers of this run cannot be had again by running it once more; empty for an exact run. */
  inexact: z.array(text),
  identity: identitySchema,
  /** Which variants of kernels the run takes (variants.ts). */
  variants: z.record(text, text).default({}),
  /** The training plan, to say what changed. */
  training: z.record(z.string(), z.unknown()),
});
export type RunState = z.infer<typeof stateSchema>;

export const sha256 = (content: string): string => createHash('sha256').update(content).digest('hex');

/**
 * Hash of all that decides the numbers of a training: not of the places in the `.mos` file, of what the files are
 * called (they have hashes of their own), of evaluation, or of how often something is saved.
 */
export function planHash(plan: Plan): string {
  const { origins: _o, sources: _s, name: _n, evals: _e, model, data, training, ...rest } = plan;
  const { checkpointEvery: _c, ...schedule } = training ?? { checkpointEvery: 0 };
  const { path: _m, ...base } = model ?? { path: '' };
  const { paths: _p, ...samples } = data ?? { paths: [] };
  const whole = { ...rest, base, samples, schedule };
  return sha256(JSON.stringify(whole, (key, value) => (key === 'origin' ? undefined : value)));
}

export function layoutHash({ parameters, buffers }: Plan): string {
  const places = parameters.map(({ name, offset, rows, columns, ld }) => [name, offset, rows, columns, ld]);
  return sha256(JSON.stringify([buffers.find(b => b.role === 'parameter')?.bytes, places]));
}

/** The program that runs this, whose mathematics differ in the last bit between engines. */
export function runtime(): string {
  const { bun, node } = process.versions;
  return `${bun ? `bun ${bun}` : `node ${node}`} ${process.platform} ${process.arch}`;
}

export function webgpuVersion(): string {
  try {
    const { version } = createRequire(import.meta.url)('webgpu/package.json') as { version?: unknown };
    return typeof version === 'string' ? version : 'unknown';
  } catch {
    return 'unknown';
  }
}

/**
 * Refuses to go on with another training (`resume-mismatch`); `force` allows all but other adapters. Returns why the
 * numbers from here on are no longer those of a run without interruption.
 */
export function compare(
  state: RunState,
  now: Identity,
  training: Plan['training'],
  force: boolean,
): string[] {
  const { identity: was, step } = state;
  if (was.layout !== now.layout) {
    throw fault(
      'resume-mismatch',
      `the adapters of the program have changed since the checkpoint of step ${step}`,
      {
        help: 'restore the program, or train from the start without `--resume`',
      },
    );
  }
  const changed = [
    ...(was.plan === now.plan ? [] : ['the program']),
    ...(was.data === now.data ? [] : ['the training data']),
    ...(was.base === now.base ? [] : ['the base model']),
  ];
  if (changed.length > 0 && !force) {
    const verb = changed.length > 1 ? 'have' : 'has';
    const notes = was.plan === now.plan ? [] : changedFields(state.training, training);
    throw fault(
      'resume-mismatch',
      `${changed.join(' and ')} ${verb} changed since the checkpoint of step ${step}`,
      { notes },
    );
  }
  return [...changed.map(what => `${what} changed at step ${step}`), ...changedSurroundings(was, now)];
}

/** What may change, at the price of the last bits. */
function changedSurroundings(was: Identity, now: Identity): string[] {
  const changes: string[] = [];
  if (was.device !== now.device) changes.push(`GPU: ${was.device}, now ${now.device}`);
  else if (was.hardware !== now.hardware) changes.push('other variants of the kernels');
  if (was.runtime !== now.runtime) changes.push(`runtime: ${was.runtime}, now ${now.runtime}`);
  if (was.webgpu !== now.webgpu) changes.push(`webgpu: ${was.webgpu}, now ${now.webgpu}`);
  return changes;
}

function changedFields(was: Record<string, unknown>, training: Plan['training']): string[] {
  const now: Record<string, unknown> = { ...training };
  const names = [...new Set([...Object.keys(was), ...Object.keys(now)])].filter(
    name => name !== 'checkpointEvery',
  );
  const show = (value: unknown) => JSON.stringify(value) ?? 'nothing';
  const changed = names.filter(name => show(was[name]) !== show(now[name]));
  if (changed.length === 0) return ['the training plan is as it was: adapters, kernels or sizes differ'];
  return changed.map(name => `${name}: ${show(was[name])}, now ${show(now[name])}`);
}
