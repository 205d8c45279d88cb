import type { Size, SizeSymbol } from './schema.ts';

/** Value of a size for the given symbols, as the executor and the reports compute it. */
export function evaluate(size: Size, symbols: Record<SizeSymbol, number>): number {
  if (typeof size === 'number') return size;
  const count = Math.min(Math.max(symbols[size.symbol] - (size.minus ?? 0), 0), size.limit ?? Infinity);
  return Math.ceil((size.multiply * count) / size.divide);
}
