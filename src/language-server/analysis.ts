/** A text, read once: tree, words with their roles, diagnostics, and what the adapters match. Everything else asks here. */

import { select } from '../../compiler/select.ts';
import type { FileNode } from '../../dsl/ast.ts';
import { declaredHeads } from '../../dsl/editor/declarations.ts';
import type { DeclaredHeads } from '../../dsl/editor/meaning.ts';
import { type RoledToken, rolesOf } from '../../dsl/editor/roles.ts';
import { type Checked, check, type Diagnostic, type Span } from '../../dsl/index.ts';
import { join } from '../../dsl/paths.ts';
import { Source } from '../../dsl/source.ts';
import { readSyntax } from '../../dsl/syntax.ts';
import type { Host } from './host.ts';

export interface Matched {
  /** Header of the adapter. */
  origin: Span;
  modules: string[];
}

export interface Analysis {
  path: string;
  source: Source;
  tree: FileNode;
  tokens: RoledToken[];
  checked: Checked;
  /** Of the language, and of the compiler where the model is at hand. */
  diagnostics: Diagnostic[];
  /** Absent without a model, or with errors. */
  matched?: Matched[];
  /** Linear layers of the model, by the end of their path: `q_proj`, `mlp.up_proj`. */
  modules: string[];
  heads: DeclaredHeads;
}

export function analyse(path: string, text: string, host: Host): Analysis {
  const source = new Source(path, text);
  const { file: tree } = readSyntax(source);
  const readFile = (other: string) => host.readFile(other);
  const checked = check(path, text, { readFile, needs: { model: false } });
  const shape = modelShape(tree, checked, host);
  const selection = checked.program && shape && select(checked.program, shape);
  const paths =
    shape?.layers.flatMap(({ q, k, v, o, gate, up, down }) =>
      [q, k, v, o, gate, up, down].map(each => each.path),
    ) ?? [];
  return {
    path,
    source,
    tree,
    tokens: rolesOf(text).tokens,
    checked,
    diagnostics: [...checked.diagnostics, ...(selection?.diagnostics ?? [])],
    modules: [...new Set(paths.map(each => each.replace(/^.*\./, '')))],
    heads: declaredHeads(path, tree, readFile),
    ...(selection && {
      matched: selection.matched.map((modules, i) => ({
        origin: checked.program!.adapters[i].origin,
        modules: modules.map(each => each.path),
      })),
    }),
  };
}

/** By the checked program, or, while that has errors, by what the text says of its model. */
function modelShape(tree: FileNode, { program }: Checked, host: Host) {
  if (program)
    return program.model.path === ''
      ? undefined
      : host.modelShape(join(program.model.baseDir, program.model.path));
  for (const statement of tree.statements) {
    if (statement.kind !== 'block' || statement.keyword.text !== 'model') continue;
    const [target] = statement.targets;
    if (target?.kind === 'string' && target.text !== '')
      return host.modelShape(join(folder(target.span.file), target.text));
  }
  return undefined;
}

const folder = (path: string): string => path.slice(0, Math.max(0, path.lastIndexOf('/'))) || '.';

/** The token that holds an offset, or ends there. */
export function tokenAt({ tokens }: Analysis, offset: number): RoledToken | undefined {
  const touching = tokens.filter(({ start, end }) => start <= offset && offset <= end);
  return touching.find(({ role }) => role !== 'sign') ?? touching[0];
}
