/**
 * Numbers and their units. The lexer takes whatever clings to a digit as one token; here it is read, or the mistake
 * in it is named. Values keep their unit until a field says which it wants: fractions are in percent or bare.
 */
import type { Code } from './diagnostics/catalogue.ts';
import { helpFor } from './diagnostics/suggest.ts';

const UNITS: Record<string, { dimension: 'fraction' | 'time' | 'bytes'; factor: number }> = {
  '%': { dimension: 'fraction', factor: 0.01 },
  ms: { dimension: 'time', factor: 1e-3 },
  s: { dimension: 'time', factor: 1 },
  min: { dimension: 'time', factor: 60 },
  h: { dimension: 'time', factor: 3600 },
  B: { dimension: 'bytes', factor: 1 },
  KB: { dimension: 'bytes', factor: 1e3 },
  MB: { dimension: 'bytes', factor: 1e6 },
  GB: { dimension: 'bytes', factor: 1e9 },
  KiB: { dimension: 'bytes', factor: 2 ** 10 },
  MiB: { dimension: 'bytes', factor: 2 ** 20 },
  GiB: { dimension: 'bytes', factor: 2 ** 30 },
};

export const isUnit = (word: string): boolean => Object.hasOwn(UNITS, word);

export type Dimension = 'none' | 'fraction' | 'time' | 'bytes';

export interface Quantity {
  value: number;
  dimension: Dimension;
}

export interface NumberMistake {
  code: Code;
  message: string;
  help?: string;
  /** The number as it was probably meant; a safe correction. */
  meant?: string;
}

const WELL_FORMED = /^(\d+(?:_\d+)*(?:\.\d+(?:_\d+)*)?(?:[eE][+-]?\d+)?)([A-Za-z%]\w*)?$/;

export function readNumber(image: string): Quantity | NumberMistake {
  const match = WELL_FORMED.exec(image);
  if (!match) return mistakeIn(image);
  const digits = (match[1] ?? '').replaceAll('_', '');
  const unit = match[2];
  const plain = Number(digits);
  if (!Number.isFinite(Math.fround(plain))) {
    return {
      code: 'number-too-large',
      message: `\`${image}\` is too large for a number`,
      help: 'write a smaller number',
    };
  }
  if (unit === undefined) return { value: plain, dimension: 'none' };
  if (!isUnit(unit)) {
    // `3k` is a habit from elsewhere: say the number, not the nearest unit.
    const factor = { k: 1e3, K: 1e3, M: 1e6 }[unit];
    const help = factor ? `write \`${plain * factor}\`` : helpFor(unit, Object.keys(UNITS));
    return { code: 'unknown-unit', message: `\`${unit}\` is not a unit`, ...(help && { help }) };
  }
  const { dimension, factor } = UNITS[unit] ?? { dimension: 'fraction', factor: 1 };
  // 5% is read as 5e-2, so that it is the same double as 0.05; 5 × 0.01 is not for every number.
  const shifted = unit === '%' && !/[eE]/.test(digits) ? Number(`${digits}e-2`) : plain * factor;
  return { value: shifted, dimension };
}

function mistakeIn(image: string): NumberMistake {
  const leading = /^\.\d[\w%]*$/.test(image);
  if (leading && !/_(?!\d)/.test(image)) {
    return {
      code: 'number-leading-dot',
      message: 'a number starts with a digit',
      help: `write \`0${image}\``,
      meant: `0${image}`,
    };
  }
  const trailing = /^([\d_]+)\.([A-Za-z%]*)$/.exec(image);
  if (trailing) {
    const meant = `${trailing[1]}.0${trailing[2]}`;
    return {
      code: 'number-trailing-dot',
      message: 'a number does not end in a dot',
      help: `write \`${meant}\``,
      meant,
    };
  }
  if (/_/.test(image)) {
    const meant = image.replaceAll('_', '');
    const good = WELL_FORMED.test(meant);
    return {
      code: 'number-underscore',
      message: 'an underscore in a number stands between two digits',
      ...(good ? { help: `write \`${meant}\``, meant } : { help: 'remove it' }),
    };
  }
  return {
    code: 'bad-number',
    message: `\`${image}\` is not a number`,
    help: 'write digits, with at most one fraction, one exponent and one unit',
  };
}
