/** Reading chevrotain's parse tree, which sorts children by name: here they are in text order again. */
import type { CstNode, IToken } from 'chevrotain';
import { endOf } from './tokens.ts';

export type Part = CstNode | IToken;
export const isNode = (part: Part | undefined): part is CstNode => !!part && 'children' in part;
export const isToken = (part: Part | undefined): part is IToken => !!part && !('children' in part);

/** Asked for again and again while the tree is built, so sorted once, and kept at the node. */
const SORTED = Symbol('parts');
type Sorted = CstNode & { [SORTED]?: Part[] };

/** The children in text order, without tokens the parser made up. */
export function parts(node: Sorted): Part[] {
  const known = node[SORTED];
  if (known) return known;
  const found: Part[] = [];
  let ordered = true;
  let last = -1;
  for (const name in node.children) {
    for (const part of node.children[name] ?? []) {
      const start = startOf(part);
      if (start < 0) continue;
      if (start < last) ordered = false;
      last = start;
      found.push(part);
    }
  }
  if (!ordered) found.sort((a, b) => startOf(a) - startOf(b));
  node[SORTED] = found;
  return found;
}

/** Offset of the first character; -1 for a node without any. A token the parser made up has no offset (NaN). */
export function startOf(part: Part): number {
  if (isToken(part)) return part.startOffset >= 0 ? part.startOffset : -1;
  const [first] = parts(part);
  return first ? startOf(first) : -1;
}

/** Offset after the last character; -1 for a node without any. */
export function lastOf(part: Part): number {
  if (isToken(part)) return part.startOffset >= 0 ? endOf(part) : -1;
  const last = parts(part).at(-1);
  return last ? lastOf(last) : -1;
}
