/**
 * Adapter files: `adapter.safetensors` (the trained tensors under their module's names) and `adapter_config.json`,
 * which says everything needed to use them again: spaces, maps, ranks, scales, routers, and what they were trained on.
 */
import { join } from 'node:path';
import type { Plan, PlanParameter } from '../../compiler/plan/schema.ts';
import { type Files, realFiles, replaceFile, systemCode } from '../host/files.ts';
import {
  openSafetensors,
  type SafetensorsFile,
  type TensorData,
  writeSafetensors,
} from '../model/safetensors.ts';
import { fault } from '../report/fault.ts';
import { extract, insert, parameterFloats, shapeOf } from '../runtime/parameters.ts';

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
  const tensors = new Map<string, TensorData>(
    plan.parameters.map(p => [p.name, { dtype: 'F32', shape: shapeOf(p), data: extract(flat, p) }]),
  );
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
    writeSafetensors(join(folder, TENSORS), tensors, { format: FORMAT }, files);
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
  const file = openSafetensors(join(folder, TENSORS));
  try {
    const flat = new Float32Array(parameterFloats(plan));
    for (const p of plan.parameters) insert(flat, p, readTensor(file, p.name, p, folder));
    const known = new Set(plan.parameters.map(p => p.name));
    checkUnknown(
      folder,
      [...file.tensors.keys()].find(name => !known.has(name)),
    );
    return flat;
  } finally {
    file.close();
  }
}

/** Parameters of the adapter `slot` of a plan from the folder of one adapter, whatever it was called where it was trained. */
export function loadAdapterAs(slot: string, folder: string, plan: Plan, flat: Float32Array): void {
  const nameless = (name: string) => name.replace(/\.adapters\.[^.]+/, '');
  const file = openSafetensors(join(folder, TENSORS));
  try {
    const names = new Map([...file.tensors.keys()].map(name => [nameless(name), name]));
    if (names.size !== file.tensors.size)
      throw fault('adapter-mismatch', `\`${folder}\` holds several adapters, where \`${slot}\` is one`);
    const wanted = plan.parameters.filter(p => p.adapter === slot);
    for (const p of wanted) insert(flat, p, readTensor(file, names.get(nameless(p.name)), p, folder));
    const known = new Set(wanted.map(p => nameless(p.name)));
    checkUnknown(folder, [...names].find(([name]) => !known.has(name))?.[1]);
  } finally {
    file.close();
  }
}

function readTensor(
  file: SafetensorsFile,
  name: string | undefined,
  p: PlanParameter,
  folder: string,
): Float32Array {
  if (name === undefined || !file.tensors.has(name))
    throw fault('adapter-mismatch', `\`${folder}\` has no tensor \`${p.name}\``);
  const { shape } = file.tensor(name);
  if (shape.join() !== shapeOf(p).join())
    throw fault(
      'adapter-mismatch',
      `\`${name}\` is ${shape.join('×')} where the plan expects ${shapeOf(p).join('×')}`,
    );
  return file.readF32(name);
}

function checkUnknown(folder: string, name: string | undefined): void {
  if (name !== undefined)
    throw fault('adapter-mismatch', `the plan has no place for tensor \`${name}\` of \`${folder}\``);
}
