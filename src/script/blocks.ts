/** The blocks of a program as functions, and the program they make: checked by the same code as a file. */
import type { Program, Variant } from '../../dsl/index.ts';
import type { adapterFields } from '../../dsl/vocabulary/adapter.ts';
import type { dataFields } from '../../dsl/vocabulary/data.ts';
import type { evalFields } from '../../dsl/vocabulary/eval.ts';
import { isKind } from '../../dsl/vocabulary/kinds.ts';
import type { modelFields } from '../../dsl/vocabulary/model.ts';
import type { trainFields } from '../../dsl/vocabulary/train.ts';
import { checkText, programOf, type TextOptions, variantsOf } from './check.ts';
import type { CurvatureOptimizer, Expert, Optimizer, Options, Router, Schedule } from './values.ts';
import {
  contentOf,
  nameText,
  numberText,
  type Plain,
  pairs,
  plainText,
  quoted,
  type Written,
  writing,
} from './written.ts';

export type Block = Written<'block'>;

/** A module by the end of its path, a glob over paths, or `all-linear`. */
export type Target = string | Written<'word'>;
/** A layer, or the first and last of a range. */
export type Layer = number | readonly [first: number, last: number];

export interface AdapterOptions extends Omit<Options<typeof adapterFields>, 'experts' | 'router'> {
  /** Several adapters on one module have names. */
  name?: string;
  layers?: Layer | readonly Layer[];
  experts?: readonly Expert[];
  router?: Router;
}

export interface TrainOptions
  extends Omit<Options<typeof trainFields>, 'schedule' | 'optimizer' | 'curvature'> {
  schedule?: Schedule;
  optimizer?: Optimizer;
  curvature?: CurvatureOptimizer;
}

export type ModelOptions = Options<typeof modelFields>;
export type DataOptions = Options<typeof dataFields>;
export type EvalOptions = Options<typeof evalFields>;

const RESERVED = ['use', 'let', 'true', 'false', 'on', 'layers'];

function block(header: (string | undefined)[], options: object, needs: string[] = []): Block {
  const fields = pairs(options, ': ', needs);
  const body = fields.length > 0 ? `< ${fields.join('; ')} >` : '< >';
  return writing<'block'>([...header.filter(part => part !== undefined), body].join(' '), needs);
}

const list = <T>(one: T | readonly T[]): readonly T[] => (Array.isArray(one) ? one : [one as T]);

export const model = (path: string, options: ModelOptions = {}): Block =>
  block(['model', quoted(path)], options);

function targetText(target: Target): string {
  if (typeof target !== 'string') return plainText(target, []);
  const bare = /^[A-Za-z_]\w*(\.\w+)*$/.test(target) && !isKind(target) && !RESERVED.includes(target);
  return bare || target === 'all-linear' ? target : quoted(target);
}

/** A path may hold numbers, `[first, last]` is a range, and a list holds either. */
function layersText(layers: Layer | readonly Layer[]): string {
  const isRange = (one: unknown): one is readonly [number, number] =>
    Array.isArray(one) && one.length === 2 && one.every(n => typeof n === 'number');
  const all = typeof layers === 'number' || isRange(layers) ? [layers] : layers;
  const text = all.map(one => (isRange(one) ? one.map(numberText).join('..') : numberText(one as number)));
  return `layers ${text.join(', ')}`;
}

export function adapter(targets: Target | readonly Target[], options: AdapterOptions = {}): Block {
  const { name, layers, ...fields } = options;
  const header = [
    'adapter',
    name === undefined ? undefined : `${nameText(name, 'the name of an adapter')}:`,
    list(targets).map(targetText).join(', '),
    layers === undefined ? undefined : layersText(layers),
  ];
  return block(header, fields);
}

export const data = (paths: string | readonly string[], options: DataOptions = {}): Block =>
  block(['data', list(paths).map(quoted).join(', ')], options);

export const train = (options: TrainOptions = {}): Block => block(['train'], options);

/** An `eval` block. */
export const evaluate = (name: string, paths: string | readonly string[], options: EvalOptions = {}): Block =>
  block(
    ['eval', `${nameText(name, 'the name of an eval')}:`, 'on', list(paths).map(quoted).join(', ')],
    options,
  );

/** One thing a sweep goes through; a list for a field of several values. */
export type SweepValue = Exclude<Plain, undefined>;

/** A `sweep` block: lists by field. The experts of a variant are a list themselves. */
export function sweep(fields: Record<string, readonly SweepValue[]>): Block {
  const needs: string[] = [];
  const text = Object.entries(fields).map(([name, values]) => {
    for (const part of name.split('.')) nameText(part, 'a swept field');
    const items = values.map(value =>
      Array.isArray(value) ? `[${plainText(value, needs)}]` : plainText(value, needs),
    );
    return `${name}: [${items.join(', ')}]`;
  });
  return writing<'block'>(`sweep < ${text.join('; ')} >`, needs);
}

/** The text of some blocks, with what they need declared before them. */
export function textOf(blocks: readonly Block[]): string {
  const needs = new Set<string>();
  const texts = blocks.map(one => {
    const content = contentOf(one);
    if (!content)
      throw new TypeError('a program is made of blocks: `model(…)`, `adapter(…)`, `data(…)`, `train(…)`');
    for (const need of content.needs) needs.add(need);
    return content.text;
  });
  return `${[...needs, ...texts].join('\n')}\n`;
}

/** Blocks → checked program. Throws a `MosError` that holds every mistake. */
export const program = (...blocks: readonly Block[]): Program => programIn({}, ...blocks);

/** The same with paths relative to a folder: `programIn({ folder: import.meta.dirname }, …)`. */
export const programIn = (options: TextOptions, ...blocks: readonly Block[]): Program =>
  programOf(checkText(textOf(blocks), options));

/** Every program of a `sweep`. */
export const variants = (...blocks: readonly Block[]): Variant[] => variantsOf(checkText(textOf(blocks), {}));
