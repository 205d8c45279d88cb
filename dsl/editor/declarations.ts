/** Constants and spaces: where they are declared and used, across the files that use each other. */
import type { FileNode } from '../ast.ts';
import { folderOf, join } from '../paths.ts';
import type { Span } from '../program.ts';
import { Source } from '../source.ts';
import { SPACE_DOMAINS, type SpaceDomain } from '../space.ts';
import { readSyntax } from '../syntax.ts';
import { rank, scale } from '../vocabulary/adapter.ts';
import { type Fields, field, type Head } from '../vocabulary/shape.ts';
import { domainShape } from '../vocabulary/space.ts';
import { expectedAt } from './meaning.ts';
import { rolesOf } from './roles.ts';

type ReadFile = (path: string) => string | undefined;

/** The files that `path` uses, itself first, with their trees. Files that cannot be read are left out. */
export function filesUsed(path: string, tree: FileNode, readFile: ReadFile): Map<string, FileNode> {
  const found = new Map([[path, tree]]);
  for (const [at, file] of found) {
    for (const statement of file.statements) {
      if (statement.kind !== 'use' || !statement.path?.text) continue;
      const target = join(folderOf(at), statement.path.text);
      const text = found.has(target) ? undefined : readFile(target);
      if (text !== undefined) found.set(target, readSyntax(new Source(target, text)).file);
    }
  }
  return found;
}

export interface Declaration {
  kind: 'let' | 'space';
  name: string;
  /** The name alone. */
  span: Span;
  /** The whole statement. */
  whole: Span;
}

export function declarations(path: string, tree: FileNode, readFile: ReadFile): Declaration[] {
  return [...filesUsed(path, tree, readFile).values()].flatMap(({ statements }) =>
    statements.flatMap((statement): Declaration[] =>
      (statement.kind === 'let' || statement.kind === 'space') && statement.name
        ? [
            {
              kind: statement.kind,
              name: statement.name.text,
              span: statement.name.span,
              whole: statement.span,
            },
          ]
        : [],
    ),
  );
}

/** What experts on declared spaces can be given. */
export function declaredHeads(path: string, tree: FileNode, readFile: ReadFile): Map<string, Head> {
  const heads = new Map<string, Head>();
  for (const { statements } of filesUsed(path, tree, readFile).values()) {
    for (const statement of statements) {
      if (statement.kind !== 'space' || !statement.name) continue;
      const params: Fields = {};
      for (const { name, domain } of statement.params) {
        const known = domain && Object.hasOwn(SPACE_DOMAINS, domain.text);
        const shape = domainShape(known ? (domain.text as SpaceDomain) : 'real');
        params[name.text] = field(
          'A parameter of the space.',
          shape,
          { kind: 'learn', init: shape.init },
          `learn(init=${shape.init})`,
        );
      }
      heads.set(statement.name.text, {
        doc: 'A space that is declared here.',
        params: { ...params, scale, rank },
      });
    }
  }
  return heads;
}

export interface Occurrence {
  kind: 'let' | 'space';
  name: string;
  /** Of the name, without the `$`. */
  start: number;
  end: number;
  declares: boolean;
}

/** Every place of a text that names a constant or a declared space. */
export function occurrences(text: string, heads: ReadonlyMap<string, Head>): Occurrence[] {
  const { tokens } = rolesOf(text);
  return tokens.flatMap(({ text: word, start, end, role, context }): Occurrence[] => {
    if (role === 'constant') {
      const used = word.startsWith('$');
      return [
        {
          kind: 'let',
          name: used ? word.slice(1) : word,
          start: used ? start + 1 : start,
          end,
          declares: !used,
        },
      ];
    }
    if (role === 'space') return [{ kind: 'space', name: word, start, end, declares: true }];
    if (role !== 'choice' || !heads.has(word)) return [];
    const { shape, any } = expectedAt(context, heads);
    const space = any || (shape?.is === 'call' && shape.code === 'unknown-space');
    return space ? [{ kind: 'space', name: word, start, end, declares: false }] : [];
  });
}
