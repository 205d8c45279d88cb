/**
 * Checks that parsed JSON has the shape of a plan. The shape itself, `shape.generated.ts`, is derived from the zod schema
 * (`bun run generate:plan`) and written with the functions below, so that reading a plan needs no package.
 */

/**
 * What is wrong first, as `.path.to[0].it: why`, or nothing. `newer`: the plan is of a later minor version than this
 * reader, which then passes over what that version may have added.
 */
export type Check = (value: unknown, newer: boolean) => string | undefined;

type Checks = Record<string, Check>;

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** A finite number from `min` to `max`; `above`, `below`: without these bounds themselves. */
export function number(min = -Infinity, max = Infinity, above = false, below = false): Check {
  return value =>
    Number.isFinite(value) &&
    (value as number) >= min &&
    (value as number) <= max &&
    !(above && value === min) &&
    !(below && value === max)
      ? undefined
      : ': not a number, or out of range';
}

export function integer(min: number, max: number): Check {
  const inRange = number(min, max);
  return (value, newer) => (Number.isSafeInteger(value) ? inRange(value, newer) : ': not an integer');
}

export function string(min = 0, max = Infinity, pattern?: RegExp): Check {
  return value =>
    typeof value === 'string' && value.length >= min && value.length <= max && (pattern?.test(value) ?? true)
      ? undefined
      : ': not a string of the right form';
}

/** One of these very values. */
export function one(...values: readonly unknown[]): Check {
  return value =>
    values.includes(value) ? undefined : `: not one of ${JSON.stringify(values).slice(1, -1)}`;
}

export const boolean = one(true, false);

/** Any of these forms. */
export function either(...checks: readonly Check[]): Check {
  return (value, newer) =>
    checks.some(check => check(value, newer) === undefined) ? undefined : ': none of the forms it may have';
}

/**
 * `grows`: of a newer plan, items after the first that this reader does not understand are dropped, in place; who wrote
 * them knows that it goes without.
 */
export function list(item: Check, min = 0, max = Infinity, grows = false): Check {
  return (value, newer) => {
    if (!Array.isArray(value)) return ': not a list';
    for (let i = 0; i < value.length; i++) {
      const problem = item(value[i], newer);
      if (problem === undefined) continue;
      if (!(newer && grows && i > 0)) return `[${i}]${problem}`;
      value.splice(i--, 1);
    }
    return value.length >= min && value.length <= max ? undefined : ': too few or too many items';
  };
}

export function tuple(...items: readonly Check[]): Check {
  return (value, newer) => {
    if (!Array.isArray(value) || value.length !== items.length) return `: not a list of ${items.length}`;
    for (const [i, item] of items.entries()) {
      const problem = item(value[i], newer);
      if (problem !== undefined) return `[${i}]${problem}`;
    }
    return undefined;
  };
}

/** Any names, all values alike. */
export function record(item: Check): Check {
  return (value, newer) => {
    if (!isObject(value)) return ': not an object';
    for (const key of Object.keys(value)) {
      const problem = item(value[key], newer);
      if (problem !== undefined) return `.${key}${problem}`;
    }
    return undefined;
  };
}

/**
 * These fields, and of the optional ones any. `grows`: fields of a newer plan that this reader does not know are removed,
 * in place; they may be ignored.
 */
export function object(fields: Checks, optional: Checks = {}, grows = false): Check {
  const all = { ...fields, ...optional };
  return (value, newer) => {
    if (!isObject(value)) return ': not an object';
    for (const key of Object.keys(all)) {
      const there = Object.hasOwn(value, key);
      if (!there && Object.hasOwn(fields, key)) return `.${key}: missing`;
      const problem = there ? all[key](value[key], newer) : undefined;
      if (problem !== undefined) return `.${key}${problem}`;
    }
    for (const key of Object.keys(value)) {
      if (Object.hasOwn(all, key)) continue;
      if (!(newer && grows)) return `.${key}: no such field`;
      delete value[key];
    }
    return undefined;
  };
}
