/** Program → plan. Only headers of the base model are read, and no GPU is needed. */
import { readFile } from 'node:fs/promises';
import { isAbsolute, relative, resolve, sep } from 'node:path';
import { compile as compileProgram } from '../../compiler/index.ts';
import type { Diagnostic, Program } from '../../dsl/index.ts';
import { pinnedModel, shapeOf } from '../cli/program.ts';
import { readFault } from '../model/files.ts';
import { fault } from '../report/fault.ts';
import type { PlanSource } from '../run/base.ts';
import { writePlan } from '../run/plan-folder.ts';
import { checkText, mistakes, programOf } from '../script/check.ts';

export interface CompileOptions {
  /** Base model, a folder or the name of a cached repository, instead of the program's. */
  model?: string;
  /** Where paths of a program given as text start; default: the folder the script is run in. */
  folder?: string;
  /** Where the plan is written, `NAME.mosplan`; without it the plan is only returned. */
  out?: string;
  signal?: AbortSignal;
}

export interface CompiledPlan extends PlanSource {
  /** Warnings. */
  diagnostics: Diagnostic[];
}

/**
 * Compiles the text of a program, a checked program, or a `.mos` file. Throws a `MosError` for mistakes in the program, a
 * program that does not fit the model, and a model that is not there.
 */
export async function compile(
  source: string | Program | { file: string },
  { model, folder, out, signal }: CompileOptions = {},
): Promise<CompiledPlan> {
  const checked = await programFrom(source, folder);
  signal?.throwIfAborted();
  if (model === undefined && checked.model.path === '')
    throw fault('bad-argument', 'the program names no base model', {
      help: 'give one: `compile(…, { model })`',
    });
  const program =
    model === undefined ? checked : { ...checked, model: { ...checked.model, path: model, baseDir: '.' } };
  const pathOf = (path: string, baseDir: string): string => {
    const pinned = pinnedModel(program, path);
    if (pinned !== undefined) return pinned;
    const full = resolve(baseDir, path);
    return out === undefined || isAbsolute(path) ? full : relative(resolve(out), full).split(sep).join('/');
  };
  const { compiled, diagnostics } = compileProgram(program, shapeOf(program), { pathOf });
  if (!compiled) throw mistakes(diagnostics, new Map());
  const { plan, files } = compiled;
  if (out !== undefined) writePlan(out, plan, files);
  return { plan, files, folder: resolve(out ?? '.'), diagnostics };
}

async function programFrom(
  source: string | Program | { file: string },
  folder: string | undefined,
): Promise<Program> {
  if (typeof source !== 'string' && 'adapters' in source) return source;
  const checked =
    typeof source === 'string'
      ? checkText(source, folder === undefined ? {} : { folder })
      : checkText(await textOf(source.file), { name: source.file });
  const program = programOf(checked);
  if (checked.variants)
    throw fault('several-programs', `this is a sweep of ${checked.variants.length} programs`, {
      help: 'take its programs one by one: `mos.variants`, or `variants` of mos/builder',
    });
  return program;
}

function textOf(file: string): Promise<string> {
  return readFile(file, 'utf8').catch((error: unknown) => {
    throw readFault(file, error);
  });
}
