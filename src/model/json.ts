/** JSON from strangers: size and nesting are bounded before parsing, and keys that would touch a prototype are refused. */
import { fault } from '../report/fault.ts';
import { quote } from './text.ts';

/** Deepest nesting of brackets outside strings; stops counting once `limit` is passed. Works on invalid JSON as well. */
export function nestingDepth(text: string, limit: number): number {
  let depth = 0;
  let deepest = 0;
  let inString = false;
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    if (inString) {
      if (c === 92) i++;
      else if (c === 34) inString = false;
    } else if (c === 34) inString = true;
    else if (c === 123 || c === 91) {
      if (++depth > deepest) deepest = depth;
      if (deepest > limit) return deepest;
    } else if (c === 125 || c === 93) depth--;
  }
  return deepest;
}

/** Whether a parsed JSON value has a key that would reach a prototype if it were copied carelessly. */
export function hasPrototypeKey(value: unknown): boolean {
  if (Array.isArray(value)) return value.some(hasPrototypeKey);
  if (typeof value !== 'object' || value === null) return false;
  return Object.hasOwn(value, '__proto__') || Object.values(value).some(hasPrototypeKey);
}

export interface JsonLimits {
  maxBytes: number;
  maxDepth: number;
  /** A vocabulary may well contain the word `__proto__`; it is then read through `Object.entries` alone. */
  allowPrototypeKeys?: boolean;
}

export const SMALL_JSON: JsonLimits = { maxBytes: 4 * 2 ** 20, maxDepth: 32 };

/** JSON text within limits; faults are `bad-json` and name `path`. */
export function parseJsonText(text: string, path: string, limits: JsonLimits): unknown {
  if (nestingDepth(text, limits.maxDepth) > limits.maxDepth) {
    throw fault('bad-json', `${quote(path)} nests deeper than ${limits.maxDepth} levels`);
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw fault('bad-json', `${quote(path)} is not valid JSON`);
  }
  if (!limits.allowPrototypeKeys && hasPrototypeKey(value)) {
    throw fault('bad-json', `${quote(path)} has a key \`__proto__\``);
  }
  return value;
}
