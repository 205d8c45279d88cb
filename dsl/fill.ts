/**
 * A file with everything said that it leaves to defaults: what `mos explain FILE` prints. Works on the text, so that
 * comments, constants and order stay; the result means the same program. Defaults that are no value of their own
 * ("as `lr`") become comments.
 */
import type { ArgumentNode, BlockNode, FileNode, ValueNode } from './ast.ts';
import { format } from './format.ts';
import type { Program } from './program.ts';
import { Source } from './source.ts';
import { readSyntax } from './syntax.ts';
import { isKind, KIND } from './vocabulary/kinds.ts';
import { type Field, type Fields, learnFields, type Shape } from './vocabulary/shape.ts';
import { userSpace } from './vocabulary/space.ts';

export interface FillOptions {
  /** Lines of comment above each adapter, by its place in `program.adapters`. */
  adapterNotes?: (index: number) => string[];
}

/** A default can have defaults inside: a space has parameters, a parameter has a start. */
const MOST_PASSES = 6;

/** `program` is what `text` was checked to be. */
export function fillDefaults(
  file: string,
  text: string,
  program: Program,
  options: FillOptions = {},
): string {
  let current = text;
  for (let pass = 0; pass < MOST_PASSES; pass++) {
    const { file: tree } = readSyntax(new Source(file, current));
    const filler = new Filler(current, tree, program, pass === 0 ? options : undefined);
    const next = filler.apply();
    if (next === current) break;
    current = next;
  }
  return format(file, current).text ?? current;
}

class Filler {
  private readonly text: string;
  private readonly tree: FileNode;
  private readonly program: Program;
  private readonly options: FillOptions | undefined;
  private readonly constants = new Map<string, ValueNode>();
  private readonly edits: { at: number; text: string }[] = [];
  private readonly filled = new Set<ValueNode>();
  private readonly sweeps: boolean;

  /** Without options: a later pass, which writes no comments. */
  constructor(text: string, tree: FileNode, program: Program, options: FillOptions | undefined) {
    this.text = text;
    this.tree = tree;
    this.program = program;
    this.options = options;
    for (const statement of tree.statements) {
      if (statement.kind === 'let' && statement.name && statement.value)
        this.constants.set(statement.name.text, statement.value);
    }
    this.sweeps = this.blocks().some(({ keyword }) => keyword.text === 'sweep');
  }

  private blocks(): BlockNode[] {
    return this.tree.statements.filter(statement => statement.kind === 'block');
  }

  apply(): string {
    const { text } = this;
    const blocks = this.blocks();
    let adapter = 0;
    for (const block of blocks) {
      const index = block.keyword.text === 'adapter' ? adapter++ : -1;
      this.block(block, index);
    }
    const has = (kind: string) => blocks.some(({ keyword }) => keyword.text === kind);
    const { model, data } = this.program;
    const missing = [
      ...(has('model') || !this.options
        ? []
        : [
            model.path
              ? `// model: ${model.path}, from the command line`
              : '// model: none here; give `--model DIR`',
          ]),
      ...(has('data') || data || !this.options ? [] : ['// data: none here; give `--data FILE`']),
      ...(has('train') ? [] : ['train < >']),
    ];
    if (missing.length > 0) this.edits.push({ at: text.length, text: `\n\n${missing.join('\n')}\n` });
    // Later places first, so that earlier ones stay where they are; of one place, the first edit comes first.
    const ordered = this.edits.map((edit, i) => ({ ...edit, i })).sort((a, b) => b.at - a.at || b.i - a.i);
    return ordered.reduce((done, edit) => done.slice(0, edit.at) + edit.text + done.slice(edit.at), text);
  }

  private block(block: BlockNode, adapter: number): void {
    const kind = block.keyword.text;
    if (!isKind(kind) || kind === 'sweep') return;
    const table: Fields = KIND[kind].fields;
    const notes = adapter >= 0 ? (this.options?.adapterNotes?.(adapter) ?? []) : [];
    if (notes.length > 0) {
      const lines = notes.map(note => `// ${note}\n`).join('');
      this.edits.push({ at: block.span.start, text: `${block.span.start > 0 ? '\n' : ''}${lines}` });
    }
    const given = new Map(block.fields.map(field => [field.name.text, field]));
    const lines: string[] = [];
    for (const [name, field] of Object.entries(table)) {
      const node = given.get(name);
      if (node) for (const value of node.values) this.value(value, field.shape, adapter, name);
      else lines.push(...this.absent(kind, name, field, adapter));
    }
    if (lines.length === 0) return;
    const last = block.fields.at(-1);
    if (last) this.edits.push({ at: this.endOf(last.values.at(-1)) ?? last.span.end, text: ';' });
    const end = block.span.end - 1;
    const fresh = /[\r\n]\s*$/.test(this.text.slice(0, end));
    this.edits.push({ at: end, text: `${fresh ? '' : '\n'}${lines.join('\n')}\n` });
  }

  private endOf(value: ValueNode | undefined): number | undefined {
    return value && Math.max(value.span.end, value.times?.span.end ?? 0);
  }

  /** The line for a field that is not written. */
  private absent(kind: string, name: string, field: Field, adapter: number): string[] {
    if (field.fallback !== undefined) return [`${name}: ${field.shown};`];
    const block = this.program.adapters[adapter];
    // A sweep may change what these follow from.
    if (kind === 'adapter' && block && !this.sweeps) {
      if (name === 'alpha') return [`alpha: ${block.alpha};`];
      if (name === 'router' && block.router) return [`router: top${block.router.k};`];
      if (name === 'router') return this.comment('router: none, as there is one expert');
    }
    return this.comment(`${name}: ${field.shown}`);
  }

  private comment(text: string): string[] {
    return this.options ? [`// ${text}`] : [];
  }

  private value(written: ValueNode, shape: Shape, adapter: number, name: string): void {
    let value: ValueNode | undefined = written;
    // Constants of other files stay as they are: this file has no place to write them.
    for (let i = 0; value?.kind === 'constant' && i < 64; i++) value = this.constants.get(value.name);
    if (!value || this.filled.has(value)) return;
    this.filled.add(value);
    if (value.kind !== 'call') return;
    const { word } = value;
    // A bare `learn` starts elsewhere in another place, so one that several places may share stays bare.
    if (shape.is === 'parameter' && word.text === 'learn' && value === written) {
      this.parameters(
        value,
        { init: { ...learnFields(shape).init, fallback: shape.init } as Field },
        adapter,
      );
    } else if (shape.is === 'call') {
      const declared = this.program.spaces?.find(space => space.name === word.text);
      const head = Object.hasOwn(shape.heads, word.text)
        ? shape.heads[word.text]
        : declared && userSpace(declared);
      const params = { ...head?.params };
      const places = value === written ? [adapter] : [...this.program.adapters.keys()];
      if (name === 'router' && places.some(place => this.allKept(place))) delete params.aux;
      this.parameters(value, params, adapter);
    }
  }

  /** Writing `aux` where every expert is kept would be warned of. */
  private allKept(adapter: number): boolean {
    const block = this.program.adapters[adapter];
    return !!block?.router && block.router.k >= block.experts.length;
  }

  private parameters(call: ValueNode & { kind: 'call' }, table: Fields, adapter: number): void {
    const given = new Map(call.args.map((arg): [string | undefined, ArgumentNode] => [arg.name?.text, arg]));
    const added: string[] = [];
    for (const [name, field] of Object.entries(table)) {
      const arg = given.get(name);
      if (arg) this.value(arg.value, field.shape, adapter, name);
      else if (field.fallback !== undefined) added.push(`${name}=${field.shown}`);
    }
    if (added.length === 0) return;
    const last = call.args.at(-1);
    const text = added.join(', ');
    if (last) this.edits.push({ at: last.span.end, text: `, ${text}` });
    else if (call.parenthesised) this.edits.push({ at: call.span.end - 1, text });
    else this.edits.push({ at: call.word.span.end, text: `(${text})` });
  }
}
