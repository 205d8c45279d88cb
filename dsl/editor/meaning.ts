/** From a place in a text to the entry of the vocabulary that says what can stand there. */
import { isKind, KIND, kindNames } from '../vocabulary/kinds.ts';
import { type Field, type Fields, type Head, learnFields, type Shape } from '../vocabulary/shape.ts';
import type { Context } from './roles.ts';

/** Parameters and documentation of spaces that a program declares. */
export type DeclaredHeads = ReadonlyMap<string, Head>;

export const fieldsOf = (kind: string | undefined): Fields =>
  kind !== undefined && isKind(kind) ? KIND[kind].fields : {};

/** Kinds whose fields a sweep goes through. */
const swept = kindNames.filter(kind => !['sweep', 'eval', 'export'].includes(kind));

/** Fields that a sweep can name, as it names them. */
export function sweepFields(): Fields {
  const all: Fields = {};
  for (const kind of swept) {
    for (const [name, field] of Object.entries(fieldsOf(kind))) {
      const twice = swept.filter(other => Object.hasOwn(fieldsOf(other), name)).length > 1;
      all[twice ? `${kind}.${name}` : name] = field;
    }
  }
  return all;
}

export function fieldIn(kind: string | undefined, name: string): Field | undefined {
  if (kind === 'sweep') {
    const table = sweepFields();
    if (Object.hasOwn(table, name)) return table[name];
    const [owner = '', field = ''] = name.split('.');
    const fields = isKind(owner) ? fieldsOf(owner) : {};
    return Object.hasOwn(fields, field) ? fields[field] : undefined;
  }
  const table = fieldsOf(kind);
  return Object.hasOwn(table, name) ? table[name] : undefined;
}

/** Every word with parameters, wherever it may stand: for `let`, whose values do not say where they go. */
export function everyHead(): Record<string, Head> {
  const heads: Record<string, Head> = {};
  for (const kind of kindNames) {
    for (const { shape } of Object.values(fieldsOf(kind)))
      if (shape.is === 'call') Object.assign(heads, shape.heads);
  }
  return heads;
}

export interface Expected {
  /** What a value here must be; absent where that is not known. */
  shape?: Shape;
  /** Parameters that can be given here, for a place between parentheses. */
  params?: Fields;
  /** The word before those parentheses. */
  head?: string;
  /** Any value of the language may stand here, as after `let`. */
  any: boolean;
}

export function expectedAt(context: Context, declared: DeclaredHeads): Expected {
  const any = context.zone === 'let';
  let shape = context.field ? fieldIn(context.kind, context.field)?.shape : undefined;
  let params: Fields | undefined;
  let word: string | undefined;
  for (const { head, param } of context.frames) {
    params = undefined;
    word = head;
    if (head === undefined) continue;
    params = paramsOf(head, shape, any, declared);
    shape =
      param === undefined
        ? undefined
        : params && Object.hasOwn(params, param)
          ? params[param]?.shape
          : undefined;
    if (param !== undefined) params = undefined;
  }
  return {
    any: any && context.frames.length === 0 && context.field !== undefined,
    ...(shape && { shape }),
    ...(params && { params }),
    ...(word !== undefined && { head: word }),
  };
}

function paramsOf(
  head: string,
  shape: Shape | undefined,
  any: boolean,
  declared: DeclaredHeads,
): Fields | undefined {
  if (head === 'learn') {
    if (shape?.is === 'parameter') return learnFields(shape);
    const example = Object.values(everyHead())
      .flatMap(({ params }) => Object.values(params))
      .find(field => field.shape.is === 'parameter');
    return example?.shape.is === 'parameter' ? learnFields(example.shape) : undefined;
  }
  const own = declared.get(head);
  if (shape?.is === 'call') {
    if (Object.hasOwn(shape.heads, head)) return shape.heads[head]?.params;
    return shape.code === 'unknown-space' ? own?.params : undefined;
  }
  if (!any) return undefined;
  const all = everyHead();
  return Object.hasOwn(all, head) ? all[head]?.params : own?.params;
}
