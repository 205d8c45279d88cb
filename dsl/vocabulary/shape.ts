/**
 * What a field can hold. A shape knows how the text is read (a number, a word, a call), the zod schema its plain value
 * must satisfy, and the words that describe it; validation, documentation and completion all read the same table.
 */
import { z } from 'zod';
import type { Parameter } from '../program.ts';

/** A number. `fraction` lets it be written in percent; `says` completes "must be …". */
export interface NumberShape {
  is: 'number';
  unit: 'plain' | 'fraction';
  says: string;
  schema: z.ZodType<number>;
}

export interface FlagShape {
  is: 'flag';
  schema: z.ZodType<boolean>;
}

/** One of a few bare words, each with its meaning; `later` are words of the language this version does not carry out. */
export interface WordShape<W extends string = string> {
  is: 'word';
  words: Record<W, string>;
  later: Record<string, string>;
  schema: z.ZodType<W>;
}

/** A number (fixed) or `learn` or `learn(init=, min=, max=, lr=)`. */
export interface ParameterShape {
  is: 'parameter';
  /** The numbers it can be. */
  number: NumberShape;
  init: number;
  schema: z.ZodType<Parameter>;
}

/** A word with parameters in parentheses. */
export interface CallShape<H extends Heads = Heads> {
  is: 'call';
  /** What a head is called in a message: "a space". */
  noun: string;
  code: 'unknown-space' | 'unknown-choice';
  heads: H;
  schema: z.ZodType<CallValue<H>>;
}

export interface Head {
  doc: string;
  params: Fields;
}
export type Heads = Record<string, Head>;

export type Shape = NumberShape | FlagShape | WordShape | ParameterShape | CallShape;

export interface Field<T = unknown> {
  doc: string;
  shape: Shape;
  many: boolean;
  /** The plain value when the field is absent; `required` fields have none. */
  fallback: T;
  required: boolean;
  /** The default as it would be written in a file. */
  shown: string;
}
export type Fields = Record<string, Field>;

export type CallValue<H extends Heads> = {
  [K in keyof H & string]: { head: K; args: ValuesOf<H[K]['params']> };
}[keyof H & string];

export type ValueOf<S> = S extends NumberShape
  ? number
  : S extends FlagShape
    ? boolean
    : S extends WordShape<infer W>
      ? W
      : S extends ParameterShape
        ? Parameter
        : S extends CallShape<infer H>
          ? CallValue<H>
          : never;

export type ValuesOf<F extends Fields> = { [K in keyof F]: F[K] extends Field<infer T> ? T : never };

export const number = (says: string, schema: z.ZodType<number>): NumberShape => ({
  is: 'number',
  unit: 'plain',
  says,
  schema,
});

export const fraction = (says: string, schema: z.ZodType<number>): NumberShape => ({
  is: 'number',
  unit: 'fraction',
  says,
  schema,
});

export const count = (min: number, max = 1_000_000_000): NumberShape =>
  number(
    max >= 1_000_000_000 ? `a whole number, ${min} or more` : `a whole number from ${min} to ${max}`,
    z.number().int().min(min).max(max),
  );

export const positive = (): NumberShape => number('a number above 0', z.number().positive());
export const real = (): NumberShape => number('a number', z.number());
export const atLeastZero = (): NumberShape => number('a number, 0 or more', z.number().min(0));

export const flag = (): FlagShape => ({ is: 'flag', schema: z.boolean() });

export const word = <W extends string>(
  words: Record<W, string>,
  later: Record<string, string> = {},
): WordShape<W> => ({
  is: 'word',
  words,
  later,
  schema: z.enum(Object.keys(words) as [W, ...W[]]) as unknown as z.ZodType<W>,
});

export const parameter = (value: NumberShape, init: number): ParameterShape => ({
  is: 'parameter',
  number: value,
  init,
  schema: z.discriminatedUnion('kind', [
    z.strictObject({ kind: z.literal('fixed'), value: value.schema }),
    z.strictObject({
      kind: z.literal('learn'),
      init: value.schema,
      min: value.schema.optional(),
      max: value.schema.optional(),
      lr: z.number().positive().optional(),
      decay: z.number().min(0).optional(),
      share: z.strictObject({ scope: z.enum(['module', 'layer', 'all']), key: z.string() }).optional(),
    }),
  ]),
});

/** `learn(…)`, wherever a parameter can be learned. */
export const learnFields = ({ number: of, init }: ParameterShape): Fields => ({
  init: optional('Where it starts.', of, String(init)),
  min: optional('Lower bound.', of, 'none'),
  max: optional('Upper bound.', of, 'none'),
  lr: optional('Learning rate of its own.', positive(), 'that of `curvature` in `train`'),
  decay: optional(
    'Weight decay of the stored form: towards 1, 0 or ½ for a positive, real or unit parameter.',
    atLeastZero(),
    '0',
  ),
  share: optional(
    'One parameter for all experts written here: of a module, of a layer, or of all layers.',
    word({ module: 'one per module', layer: 'one per layer', all: 'a single one' }),
    'each expert has its own',
  ),
});

export const call = <H extends Heads>(
  noun: string,
  heads: H,
  code: CallShape['code'] = 'unknown-choice',
): CallShape<H> => ({
  is: 'call',
  noun,
  code,
  heads,
  schema: z.union(
    Object.entries(heads).map(([head, { params }]) =>
      z.strictObject({ head: z.literal(head), args: schemaOf(params) }),
    ),
  ) as unknown as z.ZodType<CallValue<H>>,
});

/** The zod schema of a whole set of fields, for callers that build a program without text. */
export function schemaOf(fields: Fields): z.ZodType {
  const shape: Record<string, z.ZodType> = {};
  for (const [name, { shape: of, many, required, fallback }] of Object.entries(fields)) {
    const one: z.ZodType = many ? z.array(of.schema as z.ZodType) : (of.schema as z.ZodType);
    shape[name] = required || fallback !== undefined ? one : one.optional();
  }
  return z.strictObject(shape);
}

const show = (value: unknown): string => (typeof value === 'object' ? JSON.stringify(value) : String(value));

export const field = <S extends Shape>(
  doc: string,
  shape: S,
  fallback: ValueOf<S>,
  shown = show(fallback),
): Field<ValueOf<S>> => ({
  doc,
  shape,
  many: false,
  fallback,
  required: false,
  shown,
});

/** Absent unless written; `shown` says what its absence means. */
export const optional = <S extends Shape>(
  doc: string,
  shape: S,
  shown: string,
): Field<ValueOf<S> | undefined> => ({
  doc,
  shape,
  many: false,
  fallback: undefined,
  required: false,
  shown,
});

export const required = <S extends Shape>(doc: string, shape: S): Field<ValueOf<S>> => ({
  doc,
  shape,
  many: false,
  fallback: undefined as unknown as ValueOf<S>,
  required: true,
  shown: '',
});

/** Several values, and `value * n`. */
export const several = <S extends Shape>(
  doc: string,
  shape: S,
  fallback: ValueOf<S>[],
  shown: string,
): Field<ValueOf<S>[]> => ({
  doc,
  shape,
  many: true,
  fallback,
  required: false,
  shown,
});
