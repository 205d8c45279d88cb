/** Text → checked program for scripts, where a mistake is thrown: a script has nothing to do with half a program. */
import { readFileSync } from 'node:fs';
import {
  type Checked,
  check,
  type Diagnostic,
  type Program,
  renderText,
  type Variant,
} from '../../dsl/index.ts';
import { Fault } from '../report/fault.ts';

export interface TextOptions {
  /** Where paths in the program start; default: the folder the script is run in. */
  folder?: string;
  /** What the text is called in messages. */
  name?: string;
}

/** The mistakes in a program as an exception, whose message shows their places. */
export function mistakes(diagnostics: readonly Diagnostic[], sources: ReadonlyMap<string, string>): Fault {
  return new Fault([...diagnostics], `the program has mistakes\n\n${renderText(diagnostics, sources)}`);
}

export function checkText(text: string, { folder = '.', name = 'script.mos' }: TextOptions): Checked {
  const file = folder === '.' ? name : `${folder.replaceAll('\\', '/').replace(/\/$/, '')}/${name}`;
  return check(file, text, { readFile: readText, needs: { model: false } });
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

export function programOf({ program, diagnostics, sources }: Checked): Program {
  if (!program) throw mistakes(diagnostics, sources);
  return program;
}

/** A text without a sweep is a single program. */
export function variantsOf(checked: Checked): Variant[] {
  const program = programOf(checked);
  return checked.variants ?? [{ name: 'program', settings: [], program }];
}
