/**
 * The language's one entry: `check` turns the text of a `.mos` file into a checked program, or into diagnostics.
 * Pure: files are read through `readFile`, and nothing here knows of a file system, a process or a GPU.
 */
import { checkBlocks, type Needs, type Overrides } from './check.ts';
import type { Diagnostic } from './diagnostics/diagnostic.ts';
import { Report } from './diagnostics/report.ts';
import { settle } from './diagnostics/settle.ts';
import { gather, Names } from './names.ts';
import { folderOf } from './paths.ts';
import type { Program } from './program.ts';
import { Source } from './source.ts';
import { expandSweeps, type Variant } from './sweep.ts';
import { readSyntax } from './syntax.ts';

export type { Needs, Overrides } from './check.ts';
export { type Code, catalogue, entryOf, explain, isCode } from './diagnostics/catalogue.ts';
export type { Diagnostic, Severity } from './diagnostics/diagnostic.ts';
export type { CatalogueEntry } from './diagnostics/entry.ts';
export { renderGithub } from './diagnostics/render-github.ts';
export { renderJson } from './diagnostics/render-json.ts';
export { printable, renderText, type Sources } from './diagnostics/render-text.ts';
export { helpFor, oneOf, suggest } from './diagnostics/suggest.ts';
export { type FillOptions, fillDefaults } from './fill.ts';
export { type Formatted, format } from './format.ts';
export { meaningOf } from './meaning.ts';
export type * from './program.ts';
export { MAX_VARIANTS, type Setting, type Variant } from './sweep.ts';
export { matchesVariant } from './sweep-names.ts';
export { isKind, KIND, type Kind, type KindName, kindNames } from './vocabulary/kinds.ts';
export { type Field, type Fields, type Shape, schemaOf } from './vocabulary/shape.ts';

export interface CheckOptions {
  /** Text of a file that `use` names; undefined if there is none. Without it every `use` is an error. */
  readFile?: (path: string) => string | undefined;
  /** The project folder, which no `use` leaves; default: the folder of the file. */
  root?: string;
  overrides?: Overrides;
  needs?: Needs;
}

export interface Checked {
  /** Present exactly when no diagnostic is an error. With `needs.model: false`, a model not given has the path ''. */
  program?: Program;
  /** Present exactly when `program` is and the file has a `sweep`; `program` is then the file without it. */
  variants?: Variant[];
  /** In the order of the text; warnings and notes too. */
  diagnostics: Diagnostic[];
  /** Every text read, by path, for the renderers. */
  sources: Map<string, string>;
}

export function check(file: string, text: string, options: CheckOptions = {}): Checked {
  const report = new Report();
  const sources = new Map([[file, text]]);
  const { file: tree, report: told } = readSyntax(new Source(file, text));
  report.list.push(...told.list);
  const names = new Names(report);
  const blocks = gather(
    file,
    tree,
    names,
    { readFile: options.readFile, root: options.root ?? folderOf(file), sources },
    report,
  );
  const { overrides = {}, needs = {} } = options;
  const program = checkBlocks(file, blocks, names, report, overrides, needs);
  const swept = blocks.some(({ keyword }) => keyword.text === 'sweep');
  const variants = swept
    ? expandSweeps(blocks, names, sources, report, (changed, told) =>
        checkBlocks(file, changed, names, told, overrides, needs),
      )
    : undefined;
  if (!report.failed) names.reportUnused(file);
  const diagnostics = settle(report.list, tree, file);
  return { ...(!report.failed && { program, ...(variants && { variants }) }), diagnostics, sources };
}
