/**
 * Names that cross statements: `use` pulls in files, `let` declares constants, `$name` stands for one. Files are read
 * through a function the caller gives, so that this folder never touches a file system.
 */
import type { BlockNode, FileNode, Name, SpaceNode, ValueNode } from './ast.ts';
import type { Report } from './diagnostics/report.ts';
import { helpFor } from './diagnostics/suggest.ts';
import { folderOf, join, within } from './paths.ts';
import type { Span } from './program.ts';
import { Source } from './source.ts';
import type { SpaceDefinition } from './space.ts';
import { readSyntax } from './syntax.ts';
import type { Head } from './vocabulary/shape.ts';

interface Declaration {
  name: Name;
  value: ValueNode | undefined;
  used: boolean;
}

/** A declared space; what it means is filled in by check-space.ts, and stays absent if its declaration is broken. */
export interface DeclaredSpace {
  node: SpaceNode;
  definition?: SpaceDefinition;
  head?: Head;
}

export class Names {
  readonly constants = new Map<string, Declaration>();
  readonly spaces = new Map<string, DeclaredSpace>();
  spacesRead = false;
  private readonly report: Report;

  /** The built-in spaces are being declared themselves. */
  readonly standard: boolean;

  constructor(report: Report, standard = false) {
    this.report = report;
    this.standard = standard;
  }

  declare(name: Name, value: ValueNode | undefined): void {
    const first = this.constants.get(name.text);
    if (first) {
      this.report.add('duplicate-constant', name.span, `constant \`${name.text}\` is declared twice`, {
        related: [{ span: first.name.span, message: 'first declared here' }],
        help: 'give one of them another name',
      });
    } else this.constants.set(name.text, { name, value, used: false });
  }

  declareSpace(node: SpaceNode): void {
    const { name } = node;
    if (!name) return;
    const first = this.spaces.get(name.text)?.node.name;
    if (first) {
      this.report.add('duplicate-space', name.span, `space \`${name.text}\` is declared twice`, {
        related: [{ span: first.span, message: 'first declared here' }],
        help: 'give one of them another name',
      });
    } else this.spaces.set(name.text, { node });
  }

  /** Follow constants to a value; undefined (and reported) where there is none. */
  resolve(value: ValueNode): ValueNode | undefined {
    let current = value;
    const seen = new Set<string>();
    while (current.kind === 'constant') {
      const { name, span } = current;
      const declared = this.constants.get(name);
      if (!declared) {
        const known = [...this.constants.keys()];
        const help =
          helpFor(
            `$${name}`,
            known.map(other => `$${other}`),
          ) ?? `declare it: \`let ${name} = value\``;
        this.report.add('unknown-constant', span, `there is no constant \`$${name}\``, { help });
        return undefined;
      }
      declared.used = true;
      if (seen.has(name)) {
        this.report.add('constant-cycle', declared.name.span, `constant \`${name}\` is defined by itself`, {
          help: 'give it a value of its own',
        });
        return undefined;
      }
      seen.add(name);
      if (!declared.value) return undefined;
      if (declared.value.times && declared.value.kind === 'constant') {
        // `let two = $one * 2;` the innermost factor would be lost on the way; keep values plain instead.
        this.report.add(
          'bad-multiplicity',
          declared.value.times.span,
          'a constant that stands for another cannot repeat it',
          {
            help: 'write the factor where the constant is used',
          },
        );
        return undefined;
      }
      current = declared.value;
    }
    return current;
  }

  /** Constants declared in `file` and used nowhere. */
  reportUnused(file: string): void {
    for (const { name, used } of this.constants.values()) {
      if (!used && name.span.file === file) {
        this.report.add('unused-constant', name.span, `constant \`${name.text}\` is never used`, {
          help: `remove it, or use it: \`$${name.text}\``,
        });
      }
    }
  }
}

export interface Files {
  readFile: ((path: string) => string | undefined) | undefined;
  /** No `use` leads out of this folder. */
  root: string;
  /** Every text read, by path; for the renderers. */
  sources: Map<string, string>;
}

/** Declare what `file` and the files it uses declare; returns the blocks of the file itself. */
export function gather(
  path: string,
  file: FileNode,
  names: Names,
  files: Files,
  report: Report,
): BlockNode[] {
  const done = new Set<string>();
  const open: string[] = [];

  const visit = (at: string, node: FileNode): BlockNode[] => {
    open.push(at);
    const blocks: BlockNode[] = [];
    for (const statement of node.statements) {
      if (statement.kind === 'use' && statement.path) use(at, statement.path);
      else if (statement.kind === 'let' && statement.name) {
        if (/\./.test(statement.name.text)) {
          report.add('bad-name', statement.name.span, `\`${statement.name.text}\` is not a name`, {
            help: 'write letters, digits and `_`',
          });
        } else names.declare(statement.name, statement.value);
      } else if (statement.kind === 'space') {
        names.declareSpace(statement);
      } else if (statement.kind === 'block') {
        if (open.length === 1) blocks.push(statement);
        else {
          report.add(
            'block-in-used-file',
            statement.keyword.span,
            `a \`${statement.keyword.text}\` block stands in a file that another uses`,
            {
              help: `move it to \`${open[0]}\``,
            },
          );
        }
      }
    }
    open.pop();
    return blocks;
  };

  const use = (from: string, { text, span }: Name): void => {
    const refused = refusal(text);
    if (refused) {
      report.add('bad-use-path', span, refused.message, { help: refused.help });
      return;
    }
    const target = join(folderOf(from), text);
    if (!within(files.root, target)) {
      report.add('use-outside-root', span, `\`${text}\` leads out of the project`, {
        help: 'move the file into the project',
      });
      return;
    }
    if (open.includes(target)) {
      const chain = [...open.slice(open.indexOf(target)), target].join(' → ');
      report.add('use-cycle', span, `\`${target}\` uses itself`, {
        notes: [chain],
        help: 'remove one `use` of the circle',
      });
      return;
    }
    if (done.has(target)) return;
    done.add(target);
    const content = read(files, target);
    if (content === undefined) {
      report.add('use-not-found', span, `cannot read \`${target}\``, {
        help: 'check the path; it is relative to this file',
      });
      return;
    }
    files.sources.set(target, content);
    const { file: parsed, report: told } = readSyntax(new Source(target, content));
    report.list.push(...told.list);
    visit(target, parsed);
  };
  return visit(join('.', path), file);
}

/** A caller's `readFile` may throw on a folder or a forbidden file; that is the user's mistake, not ours. */
function read(files: Files, path: string): string | undefined {
  try {
    return files.readFile?.(path);
  } catch {
    return undefined;
  }
}

function refusal(text: string): { message: string; help: string } | undefined {
  if (text === '') return { message: '`use` names no file', help: 'write the path of a `.mos` file' };
  if (text.startsWith('/') || /^[A-Za-z]:/.test(text))
    return { message: 'a `use` path is relative', help: 'write it relative to this file' };
  if (text.includes('\\'))
    return { message: 'folders are separated by `/`', help: `write \`${text.replaceAll('\\', '/')}\`` };
  return undefined;
}

/** Where a value stands for the reader: at the `$name` that was written, not in the constant. */
export const placeOf = (
  written: ValueNode,
  resolved: ValueNode,
): { span: Span; related?: { span: Span; message: string }[] } =>
  written === resolved
    ? { span: written.span }
    : { span: written.span, related: [{ span: resolved.span, message: 'its value is here' }] };
