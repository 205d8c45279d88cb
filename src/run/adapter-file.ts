/**
 * Adapter files: `adapter.safetensors` (the trained tensors under their module's names) and `adapter_config.json`,
 * which says everything needed to use them again: spaces, maps, ranks, scales, routers, and what they were trained on.
 */
import { join } from 'node:path';
import type { Plan } from '../../compiler/plan/schema.ts';
import { type Files, realFiles, replaceFile, systemCode } from '../host/files.ts';
import { openSafetensors, type SafetensorsFile, writeSafetensors } from '../model/safetensors.ts';
import { fault } from '../report/fault.ts';
import { insertAdapter, namedParameters, parametersFrom } from '../runtime/adapter-tensors.ts';

const TENSORS = 'adapter.safetensors';
const CONFIG = 'adapter_config.json';
const FORMAT = 'mos-adapter';

export interface AdapterOrigin {
  /** Optimiser steps done. */
  step: number;
  /** Hash of the base checkpoint's configuration and headers. */
  base: string;
  /** Hash of the training files. */
  data: string;
  seed: number;
  /** Whether training again the same way gives the same bytes; `inexact` says why not. */
  exact: boolean;
  inexact?: string[];
}

export function saveAdapter(
  folder: string,
  plan: Plan,
  flat: Float32Array,
  origin: AdapterOrigin,
  files: Files = realFiles,
): void {
  const { model, sources, slots, sites, training, data } = plan;
  const config = {
    format: FORMAT,
    version: 0,
    base_model: model?.path,
    ...sources,
    adapters: slots,
    /** hyperbolic and sphere store log c, kappa stores κ; see `stored` of each expert. */
    sites: sites.map(({ origin: _, ...site }) => site),
    training,
    data,
    trained: origin,
  };
  try {
    files.makeFolder(folder);
    writeSafetensors(join(folder, TENSORS), namedParameters(plan, flat), { format: FORMAT }, files);
    replaceFile(files, join(folder, CONFIG), [
      new TextEncoder().encode(`${JSON.stringify(config, null, 2)}\n`),
    ]);
  } catch (error) {
    const code = systemCode(error);
    if (code === undefined) throw error;
    throw fault('unwritable-file', `the adapter cannot be written to \`${folder}\` (${code})`);
  }
}

/** Parameters of a plan from an adapter folder. Every tensor must be there with its shape, and nothing else. */
export function loadAdapter(folder: string, plan: Plan): Float32Array {
  return withTensors(folder, file => parametersFrom(plan, file, folder));
}

/** Parameters of the adapter `slot` of a plan from the folder of one adapter, whatever it was called where it was trained. */
export function loadAdapterAs(slot: string, folder: string, plan: Plan, flat: Float32Array): void {
  withTensors(folder, file => insertAdapter(slot, plan, flat, file, folder));
}

function withTensors<T>(folder: string, read: (file: SafetensorsFile) => T): T {
  const file = openSafetensors(join(folder, TENSORS));
  try {
    return read(file);
  } finally {
    file.close();
  }
}
