/**
 * Plain LoRA in the form of Hugging Face PEFT: `adapter_model.safetensors` with `…lora_A.weight` [rank, in] and
 * `…lora_B.weight` [out, rank], and `adapter_config.json`. One flat expert is exactly that; anything else is refused, as
 * PEFT would load it without complaint and compute something else.
 */
import { isAbsolute, join, resolve } from 'node:path';
import { z } from 'zod';
import type { Plan, Site } from '../../compiler/plan/schema.ts';
import { realFiles, replaceFile, systemCode } from '../host/files.ts';
import { parseRepository } from '../model/cache.ts';
import { readJson } from '../model/files.ts';
import { openSafetensors, type TensorData, writeSafetensors } from '../model/safetensors.ts';
import { fault } from '../report/fault.ts';
import { extract, insert, parameterFloats } from '../runtime/parameters.ts';

const TENSORS = 'adapter_model.safetensors';
const CONFIG = 'adapter_config.json';

const keyOf = (module: string, kind: string): string => `base_model.model.${module}.lora_${kind}.weight`;

/** Sites of an adapter, each with its only expert. Fault: `not-lora`. */
function loraSites(plan: Plan, adapter: string): Site[] {
  const sites = plan.sites.filter(site => site.adapter === adapter);
  for (const { module, experts } of sites) {
    if (experts.length === 1 && experts[0].space === 'euclid') continue;
    const spaces = experts.map(e => e.space).join(', ');
    throw fault(
      'not-lora',
      experts.length > 1
        ? `\`${module}\` has ${experts.length} experts and a router (${spaces}); LoRA is one`
        : `the expert of \`${module}\` is ${spaces}; LoRA is flat`,
    );
  }
  return sites;
}

/** alpha / rank; rslora is in the scale already. */
const alphaOf = ({ experts: [{ scale, rank }] }: Site): number => Number((scale * rank).toPrecision(12));

/**
 * Writes each adapter of a plan; PEFT's own layout, where `default` is in the folder itself and others are below it.
 * @param planFolder where paths in the plan start
 * @returns the folders
 * Faults: `not-lora`, `unwritable-file`.
 */
export function exportPeft(folder: string, plan: Plan, flat: Float32Array, planFolder: string): string[] {
  const adapters = plan.slots.map(adapter => ({ adapter, sites: loraSites(plan, adapter) }));
  return adapters.map(({ adapter, sites }) => {
    const target = adapter === 'default' ? folder : join(folder, adapter);
    const tensors = new Map<string, TensorData>(
      plan.parameters
        .filter(p => p.adapter === adapter)
        .map(p => [
          keyOf(p.module, p.kind),
          { dtype: 'F32', shape: [p.rows, p.columns], data: extract(flat, p) },
        ]),
    );
    const config = JSON.stringify(configOf(sites, baseOf(plan, planFolder)), null, 2);
    try {
      realFiles.makeFolder(target);
      writeSafetensors(join(target, TENSORS), tensors, { format: 'pt' });
      replaceFile(realFiles, join(target, CONFIG), [new TextEncoder().encode(`${config}\n`)]);
    } catch (error) {
      const code = systemCode(error);
      if (code === undefined) throw error;
      throw fault('unwritable-file', `\`${target}\` cannot be written (${code})`);
    }
    return target;
  });
}

/** The base model as PEFT names it: a repository and its commit, or a folder. */
function baseOf({ model }: Plan, planFolder: string): { path?: string; revision?: string } {
  if (!model) return {};
  const repository = parseRepository(model.path);
  if (repository && model.path.includes('@')) return { path: repository.id, revision: repository.revision };
  return { path: isAbsolute(model.path) ? model.path : resolve(planFolder, model.path) };
}

function configOf(sites: Site[], base: { path?: string; revision?: string }) {
  const [first] = sites;
  const rank = first.experts[0].rank;
  const alpha = alphaOf(first);
  const other = <T>(of: (site: Site) => T, usual: T) =>
    Object.fromEntries(sites.filter(s => of(s) !== usual).map(s => [s.module, of(s)]));
  return {
    alpha_pattern: other(alphaOf, alpha),
    base_model_name_or_path: base.path ?? null,
    bias: 'none',
    fan_in_fan_out: false,
    inference_mode: true,
    init_lora_weights: true,
    lora_alpha: alpha,
    lora_dropout: 0,
    modules_to_save: null,
    peft_type: 'LORA',
    r: rank,
    rank_pattern: other(s => s.experts[0].rank, rank),
    revision: base.revision ?? null,
    target_modules: sites.map(s => s.module),
    task_type: 'CAUSAL_LM',
    use_dora: false,
    use_rslora: false,
  };
}

const configSchema = z.looseObject({
  peft_type: z.literal('LORA', { error: 'is not LORA' }),
  r: z.int({ error: 'is not a whole number' }).min(1),
  lora_alpha: z.number({ error: 'is not a number' }),
  use_rslora: z.boolean().nullish(),
  rank_pattern: z.record(z.string(), z.int()).nullish(),
  alpha_pattern: z.record(z.string(), z.number()).nullish(),
  // what changes the computation beyond B·A
  use_dora: z.literal(false, { error: 'is not supported' }).nullish(),
  bias: z.literal('none', { error: 'is not supported' }).nullish(),
  lora_bias: z.literal(false, { error: 'is not supported' }).nullish(),
  modules_to_save: z.array(z.string()).max(0, { error: 'is not supported' }).nullish(),
});
type PeftConfig = z.infer<typeof configSchema>;

/**
 * Parameters of a plan with one adapter from a folder that PEFT wrote. Every module must be there with the plan's rank and
 * alpha, and nothing else. Faults: `not-lora`, `adapter-mismatch`, and those of reading.
 */
export function importPeft(folder: string, plan: Plan): Float32Array {
  const [slot, ...more] = plan.slots;
  if (slot === undefined || more.length > 0)
    throw fault('adapter-mismatch', `the plan has ${plan.slots.length} adapters, and PEFT's folder is one`);
  const sites = loraSites(plan, slot);
  const config = configSchema.safeParse(readJson(join(folder, CONFIG)));
  if (!config.success) {
    const [{ path, message }] = config.error.issues;
    throw fault('adapter-mismatch', `\`${path.join('.')}\` of \`${join(folder, CONFIG)}\` ${message}`);
  }
  for (const site of sites) checkScale(site, config.data, folder);
  const file = openSafetensors(join(folder, TENSORS));
  try {
    const flat = new Float32Array(parameterFloats(plan));
    const known = new Set<string>();
    for (const p of plan.parameters) {
      const key = keyOf(p.module, p.kind);
      known.add(key);
      if (!file.tensors.has(key)) throw fault('adapter-mismatch', `\`${folder}\` has no tensor \`${key}\``);
      const { shape } = file.tensor(key);
      if (shape.join() !== [p.rows, p.columns].join())
        throw fault(
          'adapter-mismatch',
          `\`${key}\` is ${shape.join('×')} where the plan expects ${p.rows}×${p.columns}`,
        );
      insert(flat, p, file.readF32(key));
    }
    const unknown = [...file.tensors.keys()].find(key => !known.has(key));
    if (unknown) throw fault('adapter-mismatch', `the plan has no place for tensor \`${unknown}\``);
    return flat;
  } finally {
    file.close();
  }
}

/** A pattern of PEFT's is a regular expression; plain names are understood, which end a module's path. */
function byPattern(table: Record<string, number> | null | undefined, module: string, usual: number): number {
  for (const [key, value] of Object.entries(table ?? {})) {
    if (!/^[\w.]+$/.test(key))
      throw fault('adapter-mismatch', `the pattern \`${key}\` of PEFT's configuration is not a plain name`);
    if (`.${module}`.endsWith(`.${key}`)) return value;
  }
  return usual;
}

function checkScale({ module, experts: [expert] }: Site, config: PeftConfig, folder: string): void {
  const rank = byPattern(config.rank_pattern, module, config.r);
  const alpha = byPattern(config.alpha_pattern, module, config.lora_alpha);
  const scale = alpha / (config.use_rslora ? Math.sqrt(rank) : rank);
  if (Math.abs(scale - expert.scale) > 1e-6 * expert.scale)
    throw fault(
      'adapter-mismatch',
      `\`${folder}\` multiplies \`${module}\` by ${scale}, the plan by ${expert.scale}`,
      {
        help: `write \`rank: ${rank}; alpha: ${alpha}\`${config.use_rslora ? ' and `rslora: true`' : ''} in the program`,
      },
    );
}
