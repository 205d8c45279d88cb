/** Spaces, routers, schedules and optimisers as functions. Their options are typed by the vocabulary itself. */
import type { Parameter } from '../../dsl/program.ts';
import type { routers, spaces } from '../../dsl/vocabulary/adapter.ts';
import type { Field } from '../../dsl/vocabulary/shape.ts';
import type { curvatureOptimizers, optimizers, schedules } from '../../dsl/vocabulary/train.ts';
import { callText, nameText, numberText, quoted, type Written, write, writing } from './written.ts';

export type Expert = Written<'space'>;
export type Router = Written<'router'>;
export type Learn = Written<'learn'>;
export type Schedule = Written<'schedule'>;
export type Optimizer = Written<'optimizer'>;
export type CurvatureOptimizer = Written<'curvature'>;

/** What a script writes for a value of the vocabulary. */
type Input<T> = T extends Parameter
  ? number | Learn
  : T extends number
    ? number
    : T extends boolean
      ? boolean
      : T extends string
        ? T
        : never;

/** The options of a table of the vocabulary; what is left out has its default. */
export type Options<F> = {
  [K in keyof F]?: F[K] extends Field<infer T> ? Input<Exclude<T, undefined>> : never;
};

/** A word that can stand alone, `euclid`, or take options, `euclid({ rank: 4 })`. */
export type Head<S extends string, O> = Written<S> & ((options?: O) => Written<S>);

function head<S extends string, O extends object>(
  name: string,
  declared: readonly string[] = [],
): Head<S, O> {
  const make = (options?: O): Written<S> => {
    const needs = [...declared];
    const text = callText(name, options ?? {}, needs);
    return writing<S>(text, needs);
  };
  return Object.freeze(write<S, typeof make>(make, name, declared));
}

type Params<T extends { params: unknown }> = Options<T['params']>;

export const euclid = head<'space', Params<typeof spaces.euclid>>('euclid');
export const hyperbolic = head<'space', Params<typeof spaces.hyperbolic>>('hyperbolic');
export const sphere = head<'space', Params<typeof spaces.sphere>>('sphere');
export const kappa = head<'space', Params<typeof spaces.kappa>>('kappa');

export interface LearnOptions {
  init?: number;
  min?: number;
  max?: number;
  /** Learning rate of its own. */
  lr?: number;
  /** Weight decay of the stored form. */
  decay?: number;
  /** One parameter for all experts it is given to: of a module, of a layer, or of all layers. */
  share?: 'module' | 'layer' | 'all';
}

export const learn = head<'learn', LearnOptions>('learn');

export const top1 = head<'router', Params<typeof routers.top1>>('top1');
export const top2 = head<'router', Params<typeof routers.top2>>('top2');
export const soft = head<'router', Params<typeof routers.soft>>('soft');
export const topk = (options: Params<typeof routers.topk> & { k: number }): Router => {
  const needs: string[] = [];
  return writing<'router'>(callText('topk', options, needs), needs);
};

export const constant = head<'schedule', Params<typeof schedules.constant>>('constant');
export const linear = head<'schedule', Params<typeof schedules.linear>>('linear');
export const cosine = head<'schedule', Params<typeof schedules.cosine>>('cosine');
export const adamw = head<'optimizer', Params<typeof optimizers.adamw>>('adamw');
export const adam = head<'curvature', Params<typeof curvatureOptimizers.adam>>('adam');
export const sgd = head<'curvature', Params<typeof curvatureOptimizers.sgd>>('sgd');

/** `expert * n`: n experts of one sort. */
export function times(expert: Expert, n: number): Expert {
  const needs: string[] = [];
  return writing<'space'>(`${callTextOf(expert, needs)} * ${numberText(n)}`, needs);
}

function callTextOf(value: Expert, needs: string[]): string {
  const text = callText('x', { value }, needs);
  return text.slice('x(value='.length, -1);
}

/** A bare word where a string would be put in quotes: a module in a template, say. */
export function word(text: string): Written<'word'> {
  if (text !== 'all-linear')
    for (const part of text.split('.')) nameText(part.replace(/^\d+$/, '_'), 'a word');
  return writing<'word'>(text);
}

/** A glob over module paths, though it may look like a module's name. */
export const glob = (pattern: string): Written<'word'> => writing<'word'>(quoted(pattern));

export interface SpaceParts<P extends string> {
  /** Its parameters and where they live. */
  parameters?: Record<P, 'positive' | 'real' | 'unit'>;
  /** Radius of a tangent vector at the origin → radius of the point, as an expression of `r` and the parameters. */
  lift: string;
  /** The way back. */
  drop: string;
}

/** Signs of expressions; nothing in them ends a profile or opens another. */
const EXPRESSION = /^[\w\s.,()+\-*/^]+$/;

/** A space of your own. The declaration goes into every program that uses it. */
export function space<P extends string = never>(
  name: string,
  { parameters, lift, drop }: SpaceParts<P>,
): Head<'space', { [K in P]?: number | Learn } & { rank?: number; scale?: 'fixed' | 'learn' }> {
  const params = Object.entries(parameters ?? {}).map(
    ([of, domain]) => `${nameText(of, 'a parameter')}: ${nameText(String(domain), 'a domain')}`,
  );
  for (const text of [lift, drop])
    if (!EXPRESSION.test(text) || /\/[/*]/.test(text))
      throw new TypeError(`not an expression: ${JSON.stringify(text)}`);
  const list = params.length > 0 ? `(${params.join(', ')})` : '';
  const declaration = `space ${nameText(name, 'the name of a space')}${list} < lift(r) = ${lift}; drop(r) = ${drop} >`;
  return head(name, [declaration]);
}

/** A space that a file declares: `spaceFrom('spaces/horn.mos', 'horn')`. */
export const spaceFrom = (
  path: string,
  name: string,
): Head<'space', Record<string, number | string | Learn | undefined>> =>
  head(nameText(name, 'the name of a space'), [`use ${quoted(path)};`]);
