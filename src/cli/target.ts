/** The plan of a `.mos` file or plan folder for commands that only look at it: nothing is written, no weights are read. */
import { resolve } from 'node:path';
import { type Compiled, compile, PORTABLE_BYTES } from '../../compiler/index.ts';
import { Fault, fault } from '../report/fault.ts';
import { isPlanFolder, readPlan } from '../run/plan-folder.ts';
import type { Options } from './command.ts';
import { checkFile, PROGRAM_OPTIONS, pinnedModel, shapeOf } from './program.ts';
import type { Terminal } from './terminal.ts';

export const TARGET_OPTIONS = {
  model: PROGRAM_OPTIONS.model,
  portable: PROGRAM_OPTIONS.portable,
} as const satisfies Options;

export interface TargetValues {
  model?: string | undefined;
  portable?: boolean | undefined;
}

/** Paths in the result are absolute, or the name of a cached repository. Warnings are shown. */
export function planOf(target: string, values: TargetValues, terminal: Terminal): Compiled {
  if (isPlanFolder(target)) {
    const { plan, files } = readPlan(target);
    return { plan, files };
  }
  if (!target.endsWith('.mos')) {
    throw fault('file-not-found', `\`${target}\` is neither a \`.mos\` file nor a folder with a plan.json`);
  }
  const { program, variants, diagnostics: told } = checkFile(target, { model: values.model }, terminal);
  if (!program) throw new Fault(told);
  if (variants) throw fault('several-programs', `\`${target}\` is a sweep of ${variants.length} programs`);
  const { compiled, diagnostics } = compile(program, shapeOf(program), {
    pathOf: (path, base) => pinnedModel(program, path) ?? resolve(base, path),
    ...(values.portable ? { bindingBytes: PORTABLE_BYTES } : {}),
  });
  if (!compiled) throw new Fault([...told, ...diagnostics]);
  terminal.diagnostics([...told, ...diagnostics]);
  return compiled;
}
