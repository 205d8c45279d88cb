/** The command table, in the order of help. A command loads what is heavy inside its `run`. */
import type { Command } from '../command.ts';
import { chat } from './chat.ts';
import { check } from './check.ts';
import { compile } from './compile.ts';
import { devices } from './devices.ts';
import { diff } from './diff.ts';
import { evaluate } from './eval.ts';
import { explain } from './explain.ts';
import { exportAdapter } from './export.ts';
import { fmt } from './fmt.ts';
import { generate } from './generate.ts';
import { helpFor } from './help.ts';
import { importAdapter } from './import.ts';
import { inspect } from './inspect.ts';
import { lsp } from './lsp.ts';
import { profile } from './profile.ts';
import { pull } from './pull.ts';
import { quantize } from './quantize.ts';
import { train } from './train.ts';
import { tune } from './tune.ts';
import { verify } from './verify.ts';

export const COMMANDS: readonly Command[] = [
  check,
  fmt,
  explain,
  compile,
  inspect,
  diff,
  train,
  evaluate,
  generate,
  chat,
  exportAdapter,
  importAdapter,
  verify,
  pull,
  quantize,
  devices,
  tune,
  profile,
  lsp,
  helpFor(() => COMMANDS),
];
