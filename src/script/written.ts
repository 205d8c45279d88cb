/**
 * Values a script puts into a program, each as the text it stands for. The text is kept aside, where only this file can
 * write it: an object from elsewhere that looks like a value is none, so no input can bring text of its own.
 */

declare const sort: unique symbol;

/** Something written in the language: a space, a router, a whole block. `S` says what it can stand for. */
export interface Written<S extends string = string> {
  readonly [sort]: S;
}

interface Content {
  text: string;
  /** Declarations the text relies on, in order. */
  needs: readonly string[];
}

const contents = new WeakMap<object, Content>();

/** Gives `holder` the meaning of `text`. */
export function write<S extends string, T extends object>(
  holder: T,
  text: string,
  needs: readonly string[] = [],
): T & Written<S> {
  contents.set(holder, { text, needs });
  return holder as T & Written<S>;
}

export const writing = <S extends string>(text: string, needs?: readonly string[]): Written<S> =>
  Object.freeze(write<S, object>({}, text, needs));

export const contentOf = (value: unknown): Content | undefined =>
  (typeof value === 'object' && value !== null) || typeof value === 'function'
    ? contents.get(value)
    : undefined;

export const isWord = (text: string): boolean => /^[A-Za-z_]\w*$/.test(text);

/** What no string of the language can hold. */
export const UNWRITABLE = /[\u0000-\u001f\u007f]/;

export const escaped = (text: string): string => text.replaceAll('\\', '\\\\').replaceAll('"', '\\"');

/** A string in double quotes. Throws a `TypeError` for what the language cannot write. */
export function quoted(text: string): string {
  if (UNWRITABLE.test(text))
    throw new TypeError(
      `a string in a program has no line ends or control characters: ${JSON.stringify(text)}`,
    );
  return `"${escaped(text)}"`;
}

/** A name in a program. */
export function nameText(name: string, what: string): string {
  if (!isWord(name))
    throw new TypeError(`${what} is made of letters, digits and \`_\`, not ${JSON.stringify(name)}`);
  return name;
}

/** `-0` is 0; NaN and Infinity are told by the checker, at their place. */
export const numberText = (value: number): string => (value === 0 ? '0' : String(value));

/** What an option can be. */
export type Plain = number | boolean | string | Written | readonly Plain[] | undefined;

/** A value of an option; bare words are the language's choices, other strings are strings. */
export function plainText(value: Plain, needs: string[]): string {
  if (typeof value === 'number') return numberText(value);
  if (typeof value === 'boolean') return String(value);
  if (typeof value === 'string') return isWord(value) ? value : quoted(value);
  if (Array.isArray(value)) return value.map(one => plainText(one as Plain, needs)).join(', ');
  const content = contentOf(value);
  if (!content) throw new TypeError(`${describe(value)} is no value of a program`);
  needs.push(...content.needs);
  return content.text;
}

export function describe(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  if (typeof value === 'object')
    return Array.isArray(value) ? 'a list' : 'an object that the builder did not make';
  return typeof value === 'function' ? `the function \`${value.name}\`` : `a ${typeof value}`;
}

/** Options as `name=value` or `name: value`, without those left out. */
export function pairs(options: object, sign: '=' | ': ', needs: string[]): string[] {
  return Object.entries(options)
    .filter(([, value]) => value !== undefined)
    .map(
      ([name, value]) =>
        `${nameText(name, 'the name of an option')}${sign}${plainText(value as Plain, needs)}`,
    );
}

/** `head(a=1, b=2)`, or `head` alone. */
export function callText(head: string, options: object, needs: string[]): string {
  const args = pairs(options, '=', needs);
  return args.length > 0 ? `${head}(${args.join(', ')})` : head;
}
