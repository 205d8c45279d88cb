/** Where a constant or a declared space is declared and used, in all files that share it; and giving it another name. */
import { declarations, filesUsed, occurrences } from '../../dsl/editor/declarations.ts';
import type { Span } from '../../dsl/index.ts';
import { Source } from '../../dsl/source.ts';
import { readSyntax } from '../../dsl/syntax.ts';
import type { Analysis } from './analysis.ts';
import type { Host } from './host.ts';

const RESERVED = ['use', 'let', 'space', 'true', 'false'];

export interface Named {
  kind: 'let' | 'space';
  name: string;
  span: Span;
}

/** The name at a place. */
export function nameAt({ source, path, heads }: Analysis, offset: number): Named | undefined {
  const found = occurrences(source.text, heads).find(
    ({ start, end }) => start - 1 <= offset && offset <= end,
  );
  if (!found) return undefined;
  const span = source.span(found.start, found.end);
  return { kind: found.kind, name: found.name, span: { ...span, file: path } };
}

/** Where it is declared: the first place there is, in this file or one it uses. */
export function definition(analysis: Analysis, { kind, name }: Named, host: Host): Span | undefined {
  const all = declarations(analysis.path, analysis.tree, path => host.readFile(path));
  return all.find(one => one.kind === kind && one.name === name)?.span;
}

export interface Reference {
  span: Span;
  declares: boolean;
}

/** Every place that names it, in every file that uses the one that declares it. `others` are files that may. */
export function references(analysis: Analysis, named: Named, host: Host, others: string[]): Reference[] {
  const home = definition(analysis, named, host)?.file;
  const readFile = (path: string) => host.readFile(path);
  const found: Reference[] = [];
  for (const path of new Set([
    analysis.path,
    ...filesUsed(analysis.path, analysis.tree, readFile).keys(),
    ...others,
  ])) {
    const text = path === analysis.path ? analysis.source.text : host.readFile(path);
    if (text === undefined) continue;
    const source = new Source(path, text);
    const used = filesUsed(path, readSyntax(source).file, readFile);
    if (path !== analysis.path && (home === undefined || !used.has(home))) continue;
    for (const { kind, name, start, end, declares } of occurrences(text, analysis.heads)) {
      if (kind === named.kind && name === named.name) found.push({ span: source.span(start, end), declares });
    }
  }
  return found;
}

/** Why a name cannot be given; undefined if it can. */
export function refuseName(
  analysis: Analysis,
  { kind, name }: Named,
  next: string,
  host: Host,
): string | undefined {
  if (!/^[A-Za-z_]\w*$/.test(next)) return 'a name is letters, digits and `_`';
  if (RESERVED.includes(next)) return `\`${next}\` is a reserved word`;
  const taken = declarations(analysis.path, analysis.tree, path => host.readFile(path)).some(
    one => one.kind === kind && one.name === next && next !== name,
  );
  return taken ? `\`${next}\` is declared already` : undefined;
}
