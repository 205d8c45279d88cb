/**
 * Checkpoints on disk, `checkpoints/step-00000050/`: tensors, state, and a manifest with sizes and hashes that is
 * written last. A folder appears by a rename once all of it is on disk, and older ones go only after the new one was
 * read back. Loading takes the newest whose every byte fits its manifest, and never deletes one that does not.
 */
import { createHash } from 'node:crypto';
import { closeSync, lstatSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import {
  attempt,
  type Files,
  randomName,
  realFiles,
  syncFolder,
  systemCode,
  writeNew,
} from '../host/files.ts';
import { openForReading, readFully, readJson, SMALL_JSON } from '../model/files.ts';
import { openSafetensors } from '../model/safetensors.ts';
import { encodeSafetensors, type TensorData } from '../model/safetensors-bytes.ts';
import { Fault, fault } from '../report/fault.ts';
import type { TrainedState } from '../runtime/parameters.ts';
import { type RunState, stateSchema } from './checkpoint-state.ts';

export const CHECKPOINTS = 'checkpoints';
const MANIFEST = 'manifest.json';
const STATE = 'state.json';
const TENSORS = 'tensors.safetensors';
const NAMES = ['params', 'moment1', 'moment2'] as const;
/** Whole checkpoints that stay, besides the best one. */
const KEPT = 2;
const FOLDER = /^step-(\d{8,})$/;
const TEMPORARY = /^\.(tmp|gone)-/;
const LARGEST_TENSORS = 2 ** 40;
const CHUNK = 8 * 2 ** 20;

export interface Snapshot {
  state: RunState;
  tensors: TrainedState;
}

export interface Loaded {
  snapshot?: Snapshot;
  /** Newer checkpoints that cannot be used, and why. */
  damaged: string[];
}

const manifestSchema = z.strictObject({
  format: z.literal('mos-checkpoint'),
  version: z.literal(0),
  files: z.record(
    z.enum([STATE, TENSORS]),
    z.strictObject({ bytes: z.int().min(0), sha256: z.string().regex(/^[0-9a-f]{64}$/) }),
  ),
});

export class Checkpoints {
  readonly folder: string;
  private readonly files: Files;

  /** `out`: the folder of the run. */
  constructor(out: string, files: Files = realFiles) {
    this.folder = join(out, CHECKPOINTS);
    this.files = files;
  }

  /** Steps that have a folder, newest first; whether it is whole is another matter. */
  steps(): number[] {
    const found = this.files.list(this.folder).flatMap(name => FOLDER.exec(name)?.[1] ?? []);
    return found.map(Number).sort((a, b) => b - a);
  }

  pathOf(step: number): string {
    return join(this.folder, `step-${String(step).padStart(8, '0')}`);
  }

  /**
   * Saves and tidies up; throws `unwritable-file` with everything that was there before still in place.
   * Not to be called between two micro-batches of one step.
   */
  save({ state, tensors }: Snapshot): void {
    const { files, folder } = this;
    const parts = encodeSafetensors(new Map(NAMES.map(name => [name, tensorOf(tensors[name])])));
    const bytes = parts.reduce((sum, part) => sum + part.length, 0);
    const aside = join(folder, `.tmp-${state.step}-${randomName()}`);
    try {
      files.makeFolder(folder);
      const free = files.free(folder);
      if (free !== undefined && free < bytes + 2 ** 20) {
        throw Object.assign(new Error('no space'), { code: 'ENOSPC' });
      }
      files.makeFolder(aside);
      const manifest = {
        format: 'mos-checkpoint',
        version: 0,
        files: {
          [TENSORS]: writeNew(files, join(aside, TENSORS), parts),
          [STATE]: writeNew(files, join(aside, STATE), [encode(state)]),
        },
      };
      syncFolder(files, aside);
      writeNew(files, join(aside, MANIFEST), [encode(manifest)]);
      syncFolder(files, aside);
      this.moveAside(state.step);
      files.rename(aside, this.pathOf(state.step));
      syncFolder(files, folder);
    } catch (error) {
      attempt(() => files.remove(aside));
      const code = systemCode(error);
      if (code === undefined) throw error;
      throw fault(
        'unwritable-file',
        `the checkpoint of step ${state.step} cannot be written to \`${folder}\` (${code})`,
      );
    }
    // Saved is saved: that an old folder cannot be deleted is no reason to end a run.
    attempt(() => this.tidy(state.best?.step));
  }

  /** A folder of this step that is there already: replaced when whole (it says the same), kept for a look when not. */
  private moveAside(step: number): void {
    const { files, folder } = this;
    const path = this.pathOf(step);
    if (!lstatSync(path, { throwIfNoEntry: false })) return;
    const name = this.problem(step) === undefined ? `.gone-${step}` : `damaged-${step}`;
    files.rename(path, join(folder, `${name}-${randomName()}`));
  }

  /** Deletes what is neither among the newest that can be read nor the best; leftovers of killed processes too. */
  private tidy(best: number | undefined): void {
    const { files, folder } = this;
    let whole = 0;
    for (const step of this.steps()) {
      if (whole < KEPT) {
        if (this.problem(step) === undefined) whole++;
        continue;
      }
      if (step === best || this.problem(step) !== undefined) continue;
      const gone = join(folder, `.gone-${step}-${randomName()}`);
      // In one step, so that a kill in the middle of deleting leaves nothing that looks like a damaged checkpoint.
      files.rename(this.pathOf(step), gone);
    }
    for (const name of files.list(folder)) if (TEMPORARY.test(name)) files.remove(join(folder, name));
  }

  /** The newest checkpoint that is whole. */
  load(): Loaded {
    const damaged: string[] = [];
    for (const step of this.steps()) {
      const { snapshot, problem } = this.read(step);
      if (snapshot) return { snapshot, damaged };
      damaged.push(`\`${this.pathOf(step)}\`: ${problem}`);
    }
    return { damaged };
  }

  /** What the newest checkpoint that is whole says, without its tensors. */
  newest(): RunState | undefined {
    for (const step of this.steps()) {
      try {
        return this.verify(step);
      } catch (error) {
        reasonOf(error);
      }
    }
    return undefined;
  }

  /** What is wrong with a checkpoint, without holding its tensors. */
  private problem(step: number): string | undefined {
    try {
      this.verify(step);
      return undefined;
    } catch (error) {
      return reasonOf(error);
    }
  }

  read(
    step: number,
  ): { snapshot: Snapshot; problem?: undefined } | { snapshot?: undefined; problem: string } {
    const path = this.pathOf(step);
    try {
      const state = this.verify(step);
      const file = openSafetensors(join(path, TENSORS));
      try {
        const [params, moment1, moment2] = NAMES.map(name => file.readF32(name));
        return { snapshot: { state, tensors: { params, moment1, moment2 } } };
      } finally {
        file.close();
      }
    } catch (error) {
      return { problem: reasonOf(error) };
    }
  }

  /** Every byte against the manifest; throws at the first that differs. */
  private verify(step: number): RunState {
    const path = this.pathOf(step);
    const manifest = manifestSchema.safeParse(readJson(join(path, MANIFEST)));
    if (!manifest.success) throw damage(`${MANIFEST} is not one`);
    for (const [name, { bytes, sha256 }] of Object.entries(manifest.data.files)) {
      const found = hashFile(join(path, name), name === STATE ? SMALL_JSON.maxBytes : LARGEST_TENSORS);
      if (found.bytes !== bytes) throw damage(`${name} has ${found.bytes} bytes instead of ${bytes}`);
      if (found.sha256 !== sha256) throw damage(`the checksum of ${name} is wrong`);
    }
    const state = stateSchema.safeParse(readJson(join(path, STATE)));
    if (!state.success)
      throw damage(`${STATE}: ${state.error.issues[0].path.join('.')}: ${state.error.issues[0].message}`);
    if (state.data.step !== step) throw damage(`it is the checkpoint of step ${state.data.step}`);
    return state.data;
  }

  /**
   * Before a run that starts anew: what an earlier one left is moved out of the way, never mixed in. A finished run
   * makes room for one such folder; an unfinished one keeps its own for good. Returns where an unfinished one went.
   */
  setAside(out: string, log: string): string | undefined {
    const { files, folder } = this;
    if (files.list(folder).length === 0) return undefined;
    const { snapshot } = this.load();
    const finished = snapshot?.state.finished ?? false;
    const target = join(
      out,
      finished ? `${CHECKPOINTS}.before` : `${CHECKPOINTS}.unfinished-${randomName()}`,
    );
    try {
      files.remove(target);
      files.rename(folder, target);
      if (lstatSync(log, { throwIfNoEntry: false })) files.rename(log, join(target, 'log.jsonl'));
      syncFolder(files, out);
    } catch (error) {
      const code = systemCode(error);
      if (code === undefined) throw error;
      throw fault(
        'unwritable-file',
        `the checkpoints of an earlier run in \`${folder}\` cannot be moved (${code})`,
      );
    }
    return finished ? undefined : target;
  }
}

class Damage extends Error {}
const damage = (message: string) => new Damage(message);

function reasonOf(error: unknown): string {
  if (error instanceof Damage) return error.message;
  if (error instanceof Fault) return error.diagnostics[0].message;
  const code = systemCode(error);
  if (code !== undefined) return code;
  throw error;
}

const encode = (value: unknown): Uint8Array =>
  new TextEncoder().encode(`${JSON.stringify(value, null, 1)}\n`);

function tensorOf(data: Float32Array): TensorData {
  return { dtype: 'F32', shape: [data.length], data };
}

function hashFile(path: string, maxBytes: number): { bytes: number; sha256: string } {
  const { handle, size } = openForReading(path);
  try {
    if (size > maxBytes) throw damage(`${path} is too large`);
    const hash = createHash('sha256');
    const chunk = new Uint8Array(Math.min(size, CHUNK));
    for (let at = 0; at < size; at += CHUNK) {
      const part = chunk.subarray(0, Math.min(CHUNK, size - at));
      readFully(handle, part, at, path);
      hash.update(part);
    }
    return { bytes: size, sha256: hash.digest('hex') };
  } finally {
    closeSync(handle);
  }
}
