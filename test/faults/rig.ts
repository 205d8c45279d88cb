/** Short trainings for the tests of faults, and what is left of them on disk. */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { hash32 } from '../../src/data/shuffle.ts';
import { Fault } from '../../src/report/fault.ts';
import {
  type Listener,
  type TrainArgs,
  type TrainHooks,
  type TrainResult,
  train,
} from '../../src/run/train.ts';
import { type TinyOptions, type TinyRun, writeTinyRun } from '../tiny-model.ts';
import { fakeBase } from './fake.ts';

const root = mkdtempSync(join(tmpdir(), 'mos-faults-'));
process.on('exit', () => rmSync(root, { recursive: true, force: true }));
let folders = 0;

/** A new empty folder. */
export function newFolder(): string {
  const folder = join(root, String(folders++));
  mkdirSync(folder);
  return folder;
}

/** Eight steps with validation and checkpoints at odds with each other. */
export const EIGHT: TinyOptions = {
  train: 'steps: 8; log: 3; validate: 2; checkpoint: 3; accumulate: 2',
  data: 'length: 16; validation: 20%',
  adapter: 'rank: 4; alpha: 8; dropout: 0.1; experts: euclid',
};

export const tiny = (options: TinyOptions = EIGHT): TinyRun => writeTinyRun(newFolder(), options);

export interface Told {
  logs: string[];
  warnings: string[];
  phases: string[];
}

export interface Trial extends Partial<Omit<TrainArgs, 'plan'>> {
  hooks?: Partial<TrainHooks>;
  listen?: Partial<Listener>;
}

/** Trains with the stand-in executor unless `hooks` say otherwise. */
export async function trial(
  run: TinyRun,
  trying: Trial = {},
): Promise<{ result: TrainResult; out: string; told: Told }> {
  const { hooks, listen, ...args } = trying;
  const out = args.out ?? newFolder();
  const told: Told = { logs: [], warnings: [], phases: [] };
  const listener: Listener = {
    log: text => void told.logs.push(text),
    warn: text => void told.warnings.push(text),
    phase: name => void told.phases.push(name),
    progress: () => {},
    stop: new AbortController().signal,
    ...listen,
  };
  const settings = { openBase: fakeBase(), pause: async () => {}, ...hooks };
  const result = await train({ plan: run.planFolder, evaluate: false, ...args, out }, listener, settings);
  return { result, out, told };
}

/** The fault that `action` ends in, as `code: message`; other exceptions pass. `ok` when there is none. */
export async function faultOf(action: () => unknown): Promise<string> {
  try {
    await action();
  } catch (error) {
    if (error instanceof Fault) return error.message;
    throw error;
  }
  return 'ok';
}

export async function codeOf(action: () => unknown): Promise<string> {
  return (await faultOf(action)).split(':')[0];
}

export const adapterOf = (out: string): Buffer => readFileSync(join(out, 'adapter/adapter.safetensors'));

/** Rows of the log without what measures time, and without the marks of resuming. */
export function rowsOf(out: string): unknown[] {
  const lines = readFileSync(join(out, 'log.jsonl'), 'utf8').trim().split('\n');
  return lines
    .map(line => JSON.parse(line) as Record<string, unknown>)
    .filter(row => row.type !== 'resume')
    .map(({ seconds: _, ...row }) => row);
}

/** Names of everything in a folder, folders in it included. */
export const listing = (folder: string): string[] =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' }).sort();

/** Numbers in [0, 1), the same on every run. */
export function generator(seed: number): () => number {
  let drawn = 0;
  return () => hash32(seed, 99, 0, drawn++) / 2 ** 32;
}
