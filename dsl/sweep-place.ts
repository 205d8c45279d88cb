/**
 * Where a swept value goes. A name is `field`, `kind.field`, `adapter-name.field`, and, for fields that hold words with
 * parameters, one step further: `experts.c` is the `c` of every expert that has one, `experts.sphere.c` that of spheres.
 * What stands in a block's header has a name too: `adapter.targets`, `adapter.layers`, `model.path`, `data.path`.
 */
import type { BlockNode, FieldNode, Name, Target, ValueNode } from './ast.ts';
import type { Report } from './diagnostics/report.ts';
import { helpFor, oneOf, suggest } from './diagnostics/suggest.ts';
import type { Names } from './names.ts';
import type { Span } from './program.ts';
import { KIND } from './vocabulary/kinds.ts';
import type { CallShape, Field, Heads } from './vocabulary/shape.ts';

const OWNERS = ['adapter', 'train', 'model', 'data'] as const;
export type Owner = (typeof OWNERS)[number];

const HEADER: Record<Owner, readonly string[]> = {
  adapter: ['targets', 'layers'],
  train: [],
  model: ['path'],
  data: ['path'],
};

export interface Place {
  owner: Owner;
  /** Only the adapter of this name. */
  adapter?: string;
  field: string;
  /** `path`, `targets`, `layers`: in the header, not in the body. */
  header: boolean;
  /** The parameter inside the field, and the word it is limited to. */
  param?: string;
  head?: string;
  /** The field's entry in the vocabulary; absent for the header. */
  entry?: Field;
  /** Where the sweep names it. */
  name: Span;
}

/** One value of a list: what goes into the place, and how it was written. */
export interface Choice {
  values: ValueNode[];
  text: string;
  span: Span;
}

const fieldsOf = (owner: Owner): string[] => [...Object.keys(KIND[owner].fields), ...HEADER[owner]];
const entryOf = (owner: Owner, field: string): Field | undefined =>
  Object.hasOwn(KIND[owner].fields, field) ? (KIND[owner].fields as Record<string, Field>)[field] : undefined;
const isOwner = (word: string): word is Owner => (OWNERS as readonly string[]).includes(word);

/** Finds what a name in a sweep stands for; undefined: told. */
export function findPlace(
  { text, span }: Name,
  blocks: BlockNode[],
  names: Names,
  report: Report,
): Place | undefined {
  const [first = '', ...rest] = text.split('.');
  const labels = blocks
    .filter(({ keyword }) => keyword.text === 'adapter')
    .flatMap(({ label }) => (label ? [label.text] : []));
  const [second] = rest;
  if (second !== undefined && (isOwner(first) || labels.includes(first))) {
    const owner = isOwner(first) ? first : 'adapter';
    if (!fieldsOf(owner).includes(second)) {
      const help = helpFor(second, fieldsOf(owner));
      report.add('unknown-field', span, `\`${first}\` has no field \`${second}\``, help ? { help } : {});
      return undefined;
    }
    return inside(owner, isOwner(first) ? undefined : first, second, rest.slice(1), span, names, report);
  }
  let owners = OWNERS.filter(owner => fieldsOf(owner).includes(first));
  if (rest.length > 0 && owners.length > 1)
    owners = owners.filter(owner => entryOf(owner, first)?.shape.is === 'call');
  const [owner] = owners;
  if (owner === undefined) {
    const known = [
      ...new Set([...OWNERS.flatMap(fieldsOf), ...(rest.length > 0 ? [...OWNERS, ...labels] : [])]),
    ];
    const near = suggest(first, known).map(word => [word, ...rest].join('.'));
    const help =
      near.length > 0
        ? `replace it with ${oneOf(near)}`
        : 'write a field of `adapter`, `train`, `model` or `data`';
    report.add('unknown-field', span, `nothing called \`${first}\` can be swept`, { help });
    return undefined;
  }
  if (owners.length > 1) {
    report.add('ambiguous-field', span, `\`${first}\` is a field of ${oneOf(owners, 'and')}`, {
      help: `write ${oneOf(owners.map(one => `${one}.${first}`))}`,
    });
    return undefined;
  }
  return inside(owner, undefined, first, rest, span, names, report);
}

/** The way from a field on inwards. */
function inside(
  owner: Owner,
  adapter: string | undefined,
  field: string,
  path: string[],
  name: Span,
  names: Names,
  report: Report,
): Place | undefined {
  const entry = entryOf(owner, field);
  const place: Place = {
    owner,
    field,
    header: entry === undefined,
    name,
    ...(entry && { entry }),
    ...(adapter !== undefined && { adapter }),
  };
  if (path.length === 0) return place;
  const unknown = (message: string, help: string | undefined): undefined =>
    void report.add('unknown-parameter', name, message, help ? { help } : {});
  if (entry?.shape.is !== 'call')
    return unknown(`\`${field}\` has no parameters`, `write \`${field}: [ … ]\``);
  const heads = headsOf(entry.shape as CallShape, names);
  const head = path.length > 1 ? path[0] : undefined;
  const param = path.length > 1 ? path.slice(1).join('.') : (path[0] ?? '');
  if (head !== undefined && !Object.hasOwn(heads, head))
    return unknown(`\`${field}\` has no \`${head}\``, helpFor(head, Object.keys(heads)));
  const among = head === undefined ? Object.values(heads) : [heads[head]];
  const params = [...new Set(among.flatMap(one => Object.keys(one?.params ?? {})))];
  if (!params.includes(param))
    return unknown(`\`${head ?? field}\` has no parameter \`${param}\``, helpFor(param, params));
  return { ...place, param, ...(head !== undefined && { head }) };
}

/** The words a field can hold, with those the file declares. */
function headsOf({ heads, code }: CallShape, names: Names): Heads {
  if (code !== 'unknown-space') return heads;
  const declared = [...names.spaces].flatMap(([name, { head }]) => (head ? [[name, head]] : []));
  return { ...Object.fromEntries(declared), ...heads };
}

/** Is a value of this place a list of values? */
export const takesSeveral = ({ entry, header, owner, param }: Place): boolean =>
  param === undefined && (header ? owner !== 'model' : entry?.many === true);

/** The blocks with a value put in its place. */
export function put(blocks: BlockNode[], place: Place, choice: Choice, names: Names): BlockNode[] {
  const fits = (block: BlockNode) =>
    block.keyword.text === place.owner &&
    (place.adapter === undefined || block.label?.text === place.adapter);
  if (place.owner !== 'adapter' && !blocks.some(fits)) blocks = [...blocks, emptyBlock(place)];
  return blocks.map(block => (fits(block) ? changed(block, place, choice, names) : block));
}

/** A block that the file leaves to its defaults. `damaged`: what its header lacks is no mistake of the sweep's. */
const emptyBlock = ({ owner, name }: Place): BlockNode => ({
  kind: 'block',
  keyword: { text: owner, span: name },
  targets: [],
  fields: [],
  header: name,
  damaged: true,
  span: name,
});

function changed(block: BlockNode, place: Place, choice: Choice, names: Names): BlockNode {
  if (place.header) return withHeader(block, place, choice, names);
  const { field, param, name } = place;
  const old = block.fields.find(one => one.name.text === field);
  const values = param === undefined ? choice.values : withParameter(old, place, choice, names);
  const node: FieldNode = {
    name: { text: field, span: name },
    values,
    damaged: old?.damaged ?? false,
    span: choice.span,
  };
  if (param === undefined) node.damaged = false;
  const fields = old ? block.fields.map(one => (one === old ? node : one)) : [...block.fields, node];
  return { ...block, fields };
}

function withHeader(block: BlockNode, { field, owner }: Place, choice: Choice, names: Names): BlockNode {
  const values = choice.values.map(value => names.resolve(value) ?? value);
  if (field === 'layers') {
    const ranges = values.flatMap(value => {
      if (value.kind === 'range') return [{ first: value.first, last: value.last, span: value.span }];
      return value.kind === 'number'
        ? [{ first: value.quantity, last: value.quantity, span: value.span }]
        : [];
    });
    return { ...block, layers: { span: choice.span, ranges } };
  }
  const targets = values.flatMap((value): Target[] => {
    if (value.kind === 'string') return [{ kind: 'string', text: value.text, span: value.span }];
    return value.kind === 'call' && owner === 'adapter'
      ? [{ kind: 'word', text: value.word.text, span: value.span }]
      : [];
  });
  return { ...block, targets };
}

/** The field's values, with the parameter set in each that has it. */
function withParameter(
  old: FieldNode | undefined,
  { entry, field, param = '', head, name }: Place,
  { values: [value], span }: Choice,
  names: Names,
): ValueNode[] {
  if (!entry) return [];
  const heads = headsOf(entry.shape as CallShape, names);
  return (old?.values ?? defaults(field, entry, name)).map(written => {
    const resolved = names.resolve(written);
    if (resolved?.kind !== 'call' || !value) return written;
    const word = resolved.word.text;
    const known = Object.hasOwn(heads, word) ? Object.hasOwn(heads[word]?.params ?? {}, param) : false;
    const given = resolved.args.some(arg => arg.name?.text === param);
    if ((head !== undefined && head !== word) || !(known || given)) return written;
    const argument = { name: { text: param, span: name }, value, span };
    const args = given
      ? resolved.args.map(arg => (arg.name?.text === param ? argument : arg))
      : [...resolved.args, argument];
    const factors = [written.times, written === resolved ? undefined : resolved.times].filter(
      times => !!times,
    );
    const [times] = factors;
    const count = factors.reduce((all, factor) => all * factor.count, 1);
    return { ...resolved, args, span: written.span, ...(times && { times: { count, span: times.span } }) };
  });
}

/** What the field holds when it is not written, in the words one would write. */
function defaults(field: string, entry: Field | undefined, span: Span): ValueNode[] {
  const fallback = (Array.isArray(entry?.fallback) ? entry.fallback : [entry?.fallback]) as (
    | { head: string }
    | undefined
  )[];
  return fallback.map(value => {
    // Only the router has no default of its own: it is `top2` where there is something to choose.
    const text = value?.head ?? (field === 'router' ? 'top2' : '');
    return { kind: 'call', word: { text, span }, parenthesised: false, args: [], span };
  });
}
