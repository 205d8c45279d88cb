/**
 * mos`…`: a program as text, with values of the script in it. A value is a number, a string, a list, or something the
 * builder made; a string becomes one string of the language whatever is in it, so no value changes the structure.
 */
import type { Checked, Diagnostic, Program, Variant } from '../../dsl/index.ts';
import { Source } from '../../dsl/source.ts';
import { fault } from '../report/fault.ts';
import { checkText, mistakes, programOf, type TextOptions, variantsOf } from './check.ts';
import { contentOf, describe, escaped, numberText, quoted, UNWRITABLE, type Written } from './written.ts';

/** What can stand in `${…}`. */
export type Interpolated = number | boolean | string | Written | readonly Interpolated[];

type Tag<T> = (strings: TemplateStringsArray, ...values: readonly Interpolated[]) => T;

export interface Mos extends Tag<Program> {
  /** Every program of a text with a `sweep`. */
  variants: Tag<Variant[]>;
  /** Mistakes as data instead of as an exception. */
  check: Tag<Checked>;
  /** The same with paths relative to a folder: mos.in(import.meta.dirname)`…` */
  in: (folder: string) => Mos;
}

const NAME = 'template.mos';

function build(options: TextOptions): Mos {
  const checked: Tag<Checked> = (strings, ...values) => {
    const { text, places, needs } = assemble(strings, values);
    const result = checkText(text, { name: NAME, ...options });
    // Declarations stand on the first line, so that every line of the template keeps its number.
    const from = needs.length;
    return { ...result, diagnostics: result.diagnostics.map(one => located(one, places, from)) };
  };
  const tag: Tag<Program> = (strings, ...values) => programOf(checked(strings, ...values));
  return Object.assign(tag, {
    variants: ((strings, ...values) => variantsOf(checked(strings, ...values))) as Tag<Variant[]>,
    check: checked,
    in: (folder: string) => build({ ...options, folder }),
  });
}

interface Place {
  /** Where the value stands in the text. */
  start: number;
  end: number;
}

/** Says which `${…}` a mistake is in. */
function located(diagnostic: Diagnostic, places: Place[], from: number): Diagnostic {
  const { span, notes = [] } = diagnostic;
  if (!span) return diagnostic;
  const index = places.findIndex(
    ({ start, end }) => span.start < end && start < Math.max(span.end, span.start + 1),
  );
  if (index >= 0) return { ...diagnostic, notes: [...notes, `in value ${index + 1} of the template`] };
  return span.start < from
    ? { ...diagnostic, notes: [...notes, 'in a space declared by the script'] }
    : diagnostic;
}

/** What the text is in where a value stands. */
type State = 'plain' | 'string' | 'line comment' | 'block comment';

function after(part: string, state: State): State {
  let now = state;
  for (let i = 0; i < part.length; i++) {
    const sign = part[i];
    const two = part.slice(i, i + 2);
    if (now === 'plain') {
      if (sign === '"') now = 'string';
      else if (two === '//') now = 'line comment';
      else if (two === '/*') {
        now = 'block comment';
        i++;
      }
    } else if (now === 'string') {
      if (sign === '\\') i++;
      else if (sign === '"' || sign === '\n' || sign === '\r') now = 'plain';
    } else if (now === 'line comment') {
      if (sign === '\n' || sign === '\r') now = 'plain';
    } else if (two === '*/') {
      now = 'plain';
      i++;
    }
  }
  return now;
}

function assemble(
  strings: TemplateStringsArray,
  values: readonly Interpolated[],
): { text: string; places: Place[]; needs: string } {
  const declared = new Set(values.flatMap(value => needsOf(value)));
  const needs = declared.size > 0 ? `${[...declared].join(' ')} ` : '';
  let text = needs;
  let state: State = 'plain';
  const places: Place[] = [];
  for (const [index, part] of strings.raw.entries()) {
    text += part;
    state = after(part, state);
    if (index >= values.length) break;
    const start = text.length;
    const value = values[index];
    const inserted = state === 'plain' ? inText(value) : state === 'string' ? inString(value) : '…';
    if (inserted === undefined) {
      const message =
        typeof value === 'string'
          ? `value ${index + 1} of the template has a line end or a control character`
          : `value ${index + 1} of the template is ${describe(value)}, which ${state === 'string' ? 'no string can hold' : 'stands for nothing in a program'}`;
      const hole = `\${…}`;
      const whole = [text, ...strings.raw.slice(index + 1)].join(hole);
      const span = new Source(NAME, whole).span(start, start + 4);
      throw mistakes(fault('bad-interpolation', message, { span }).diagnostics, new Map([[NAME, whole]]));
    }
    text += inserted;
    places.push({ start, end: text.length });
  }
  return { text, places, needs };
}

function needsOf(value: Interpolated): readonly string[] {
  return Array.isArray(value)
    ? value.flatMap(one => needsOf(one as Interpolated))
    : (contentOf(value)?.needs ?? []);
}

/** Undefined for what has no place in a program. */
function inText(value: unknown): string | undefined {
  if (typeof value === 'number') return numberText(value);
  if (typeof value === 'boolean') return String(value);
  if (typeof value === 'string') return UNWRITABLE.test(value) ? undefined : quoted(value);
  if (Array.isArray(value)) {
    const items = value.map(inText);
    return items.length === 0 || items.includes(undefined) ? undefined : items.join(', ');
  }
  return contentOf(value)?.text;
}

/** `"models/${name}"`: the value is part of the string. */
function inString(value: unknown): string | undefined {
  if (typeof value === 'number') return numberText(value);
  return typeof value === 'string' && !UNWRITABLE.test(value) ? escaped(value) : undefined;
}

export const mos: Mos = build({});
