/** Program → plan for scripts. Only headers of the base model are read, and no GPU is needed. */
import { isAbsolute, relative, resolve, sep } from 'node:path';
import { type Compiled, compile as compileProgram } from '../../compiler/index.ts';
import type { Diagnostic, Program } from '../../dsl/index.ts';
import { pinnedModel, shapeOf } from '../cli/program.ts';
import { writePlan } from '../run/plan-folder.ts';
import { MosError } from './check.ts';

export interface CompileOptions {
  /** Folder of the base model, instead of the program's. */
  model?: string;
  /** Where the plan is written, `NAME.mosplan`; without it the plan is only returned. */
  out?: string;
}

export interface CompiledProgram extends Compiled {
  /** Warnings. */
  diagnostics: Diagnostic[];
}

/** Throws a `MosError` when the program does not fit the model. */
export function compile(program: Program, { model, out }: CompileOptions = {}): CompiledProgram {
  const whole =
    model === undefined ? program : { ...program, model: { ...program.model, path: model, baseDir: '.' } };
  const pathOf = (path: string, baseDir: string): string => {
    const pinned = pinnedModel(whole, path);
    if (pinned !== undefined) return pinned;
    const full = resolve(baseDir, path);
    return out === undefined || isAbsolute(path) ? full : relative(resolve(out), full).split(sep).join('/');
  };
  const { compiled, diagnostics } = compileProgram(whole, shapeOf(whole), { pathOf });
  if (!compiled) throw new MosError(diagnostics, new Map());
  if (out !== undefined) writePlan(out, compiled.plan, compiled.files);
  return { ...compiled, diagnostics };
}
