// biome-ignore-all lint/suspicious/noTemplateCurlyInString: placeholders of snippets
/** What can be written at a place, from the vocabulary and from what the file declares. */
import { type CompletionItem, CompletionItemKind, InsertTextFormat } from 'vscode-languageserver';
import { declarations } from '../../dsl/editor/declarations.ts';
import { everyHead, expectedAt, fieldsOf, sweepFields } from '../../dsl/editor/meaning.ts';
import { type Context, rolesOf } from '../../dsl/editor/roles.ts';
import { type Fields, isKind, KIND, kindNames, type Shape } from '../../dsl/index.ts';
import type { Analysis } from './analysis.ts';
import { describeField, describeHead, describeKind } from './describe.ts';
import type { Host } from './host.ts';

const markdown = (value: string) => ({ documentation: { kind: 'markdown' as const, value } });
const item = (
  label: string,
  kind: CompletionItemKind,
  doc: string,
  extra: Partial<CompletionItem> = {},
): CompletionItem => ({
  label,
  kind,
  ...(doc ? markdown(doc) : {}),
  ...extra,
});
const snippet = (text: string): Partial<CompletionItem> => ({
  insertText: text,
  insertTextFormat: InsertTextFormat.Snippet,
});

export function complete(analysis: Analysis, offset: number, host: Host): CompletionItem[] {
  const { text } = analysis.source;
  const inside = analysis.tokens.find(
    ({ start, end, role }) => start < offset && (offset < end || (role === 'comment' && offset === end)),
  );
  if (inside?.role === 'comment' || inside?.role === 'string') return [];
  // The word being written is no part of what decides what may stand here.
  const start = offset - (/\$?\w*$/.exec(text.slice(0, offset))?.[0].length ?? 0);
  const context = contextAt(text, start);
  const constant = text[start] === '$';
  const values = (): CompletionItem[] => constants(analysis, host, constant);
  switch (context.zone) {
    case 'top':
      return topLevel();
    case 'use':
    case 'space-body':
      return [];
    case 'header':
      return header(context, analysis);
    case 'space-head':
      return /:\s*$/.test(text.slice(0, start))
        ? ['positive', 'real', 'unit'].map(word => item(word, CompletionItemKind.EnumMember, ''))
        : [];
    case 'let':
    case 'body': {
      if (context.zone === 'body' && context.field === undefined) return fields(context);
      const { shape, params, any } = expectedAt(context, analysis.heads);
      if (params) return parameters(params, context);
      if (constant) return values();
      if (any) return [...heads(everyHead()), ...heads(Object.fromEntries(analysis.heads)), ...values()];
      return shape ? [...choices(shape, analysis), ...values()] : values();
    }
    default:
      return context.zone satisfies never;
  }
}

/** The context at a place, of the text before it alone: what comes after it changes nothing. */
function contextAt(text: string, offset: number): Context {
  // A kind starts a block only if something follows, so a word is put there.
  const { tokens, end } = rolesOf(`${text.slice(0, offset)} x`);
  return tokens.findLast(({ role }) => role !== 'comment')?.context ?? end;
}

function topLevel(): CompletionItem[] {
  const blocks = kindNames
    .filter(kind => KIND[kind].status === 'now')
    .map(kind => {
      const { targets, label, on } = KIND[kind];
      const head = targets === 'modules' ? ' ${1:q_proj}' : targets === 'none' ? '' : ' "${1:path}"';
      const text = on && label ? `${kind} \${1:name}: on "\${2:file.jsonl}" < $0 >` : `${kind}${head} < $0 >`;
      return item(kind, CompletionItemKind.Class, describeKind(kind), snippet(text));
    });
  const statement = (word: string, doc: string, text: string) =>
    item(word, CompletionItemKind.Keyword, doc, snippet(text));
  return [
    ...blocks,
    statement('let', 'A constant, used as `$name`.', 'let ${1:name} = $0;'),
    statement('use', 'Takes the constants and spaces of another file.', 'use "${1:file.mos}";'),
    statement(
      'space',
      'A space of its own, by its two radial profiles.',
      'space ${1:name}(${2:c}: positive = learn) < lift(r) = ${3:r}; drop(r) = ${4:r} >',
    ),
  ];
}

function header({ kind = '' }: Context, { modules }: Analysis): CompletionItem[] {
  if (!isKind(kind)) return [];
  const { targets, on, layers } = KIND[kind];
  const word = (label: string, doc: string, extra = {}) =>
    item(label, CompletionItemKind.Keyword, doc, extra);
  return [
    ...(on ? [word('on', 'The files it is measured on.', snippet('on "${1:file.jsonl}"'))] : []),
    ...(layers
      ? [word('layers', 'Decoder layers, from 0, both ends included.', snippet('layers ${1:0}..${2:5}'))]
      : []),
    ...(targets === 'modules' ? [item('all-linear', CompletionItemKind.Module, 'Every linear layer.')] : []),
    ...(targets === 'modules'
      ? modules.map(name => item(name, CompletionItemKind.Module, 'A linear layer of the model.'))
      : []),
  ];
}

function fields({ kind, given }: Context): CompletionItem[] {
  const table = kind === 'sweep' ? sweepFields() : fieldsOf(kind);
  return Object.entries(table)
    .filter(([name]) => !given.includes(name))
    .map(([name, field]) =>
      item(name, CompletionItemKind.Field, describeField(name, field), {
        insertText: `${name}: `,
        detail: field.shown,
      }),
    );
}

function parameters(params: Fields, { frames }: Context): CompletionItem[] {
  const given = frames.at(-1)?.given ?? [];
  return Object.entries(params)
    .filter(([name]) => !given.includes(name))
    .map(([name, field]) =>
      item(name, CompletionItemKind.Property, describeField(name, field), {
        insertText: `${name}=`,
        detail: field.shown,
      }),
    );
}

function heads(table: Record<string, { doc: string; params: Fields }>): CompletionItem[] {
  return Object.entries(table).map(([name, head]) => {
    const needed = Object.entries(head.params).find(([, { required }]) => required)?.[0];
    const extra = needed ? snippet(`${name}(${needed}=$0)`) : {};
    return item(name, CompletionItemKind.EnumMember, describeHead(name, head), extra);
  });
}

function choices(shape: Shape, analysis: Analysis): CompletionItem[] {
  const word = (label: string, doc = '') => item(label, CompletionItemKind.EnumMember, doc);
  switch (shape.is) {
    case 'number':
      return [];
    case 'flag':
      return [word('true'), word('false')];
    case 'word':
      return Object.entries(shape.words).map(([label, doc]) => word(label, doc));
    case 'parameter':
      return [word('learn', 'Learned, from a start.')];
    case 'call':
      return [
        ...heads(shape.heads),
        ...(shape.code === 'unknown-space' ? heads(Object.fromEntries(analysis.heads)) : []),
      ];
    default:
      return shape satisfies never;
  }
}

/** `$name` of every constant; after a `$` was written, editors replace from the word on. */
function constants({ path, tree, source }: Analysis, host: Host, written: boolean): CompletionItem[] {
  const all = declarations(path, tree, other => host.readFile(other)).filter(({ kind }) => kind === 'let');
  return all.map(({ name, whole }) => {
    const text =
      whole.file === path
        ? source.slice(whole)
        : (host.readFile(whole.file)?.slice(whole.start, whole.end) ?? '');
    return item(`$${name}`, CompletionItemKind.Constant, `\`\`\`mos\n${text}\n\`\`\``, {
      insertText: written ? name : `$${name}`,
      filterText: written ? name : `$${name}`,
    });
  });
}
