/** Reading chevrotain's parse tree, which sorts children by name: here they are in text order again. */
import type { CstNode, IToken } from 'chevrotain';
import { endOf } from './tokens.ts';

export type Part = CstNode | IToken;
export const isNode = (part: Part | undefined): part is CstNode => !!part && 'children' in part;
export const isToken = (part: Part | undefined): part is IToken => !!part && !('children' in part);

/** The children in text order, without tokens the parser made up. */
export function parts(node: CstNode): Part[] {
  return Object.values(node.children)
    .flat()
    .map(part => ({ part, start: startOf(part) }))
    .filter(({ start }) => start >= 0)
    .sort((a, b) => a.start - b.start)
    .map(({ part }) => part);
}

/** Asked for again at every level of the tree, so found once. */
const starts = new WeakMap<CstNode, number>();

/** Offset of the first character; -1 for a node without any. A token the parser made up has no offset (NaN). */
export function startOf(part: Part): number {
  if (isToken(part)) return part.startOffset >= 0 ? part.startOffset : -1;
  const known = starts.get(part);
  if (known !== undefined) return known;
  let first = -1;
  for (const children of Object.values(part.children)) {
    for (const child of children) {
      const start = startOf(child);
      if (start >= 0 && (first < 0 || start < first)) first = start;
    }
  }
  starts.set(part, first);
  return first;
}

/** Offset after the last character; -1 for a node without any. */
export function lastOf(part: Part): number {
  if (isToken(part)) return part.startOffset >= 0 ? endOf(part) : -1;
  let last = -1;
  for (const children of Object.values(part.children)) {
    for (const child of children) last = Math.max(last, lastOf(child));
  }
  return last;
}
