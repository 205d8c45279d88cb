/**
 * Text that may be broken: a small pretty printer after Wadler's "A prettier printer". A group stands on one line if
 * it fits there, and otherwise breaks at its own `line`s; the groups inside it decide for themselves.
 */

export type Doc =
  | string
  | Doc[]
  | { kind: 'group'; content: Doc; forced: boolean }
  | { kind: 'indent'; content: Doc }
  /** A space, nothing (`flat`) or, in a broken group, a new line; `blank` leaves an empty one before it. */
  | { kind: 'line'; flat: string; hard: boolean; blank: boolean }
  /** Text at the end of a line that takes no room: a comment too long for its line breaks nothing before it. */
  | { kind: 'aside'; text: string }
  /** A `//` comment ended here: whatever comes next starts on a new line. */
  | { kind: 'ended' };

export const line: Doc = { kind: 'line', flat: ' ', hard: false, blank: false };
export const softLine: Doc = { kind: 'line', flat: '', hard: false, blank: false };
export const hardLine: Doc = { kind: 'line', flat: '', hard: true, blank: false };
export const ended: Doc = { kind: 'ended' };
export const withBlank = (doc: Doc): Doc =>
  typeof doc === 'object' && 'kind' in doc && doc.kind === 'line' ? { ...doc, blank: true } : doc;

export const aside = (text: string): Doc => ({ kind: 'aside', text });
export const group = (content: Doc): Doc => ({ kind: 'group', content, forced: forces(content) });
export const indent = (content: Doc): Doc => ({ kind: 'indent', content });

/** Holds something that takes more than one line. */
function forces(doc: Doc): boolean {
  if (typeof doc === 'string') return doc.includes('\n');
  if (Array.isArray(doc)) return doc.some(forces);
  if (doc.kind === 'group') return doc.forced;
  if (doc.kind === 'indent') return forces(doc.content);
  if (doc.kind === 'aside') return doc.text.includes('\n');
  return doc.kind === 'ended' || doc.hard;
}

interface Command {
  doc: Doc;
  depth: number;
  broken: boolean;
}

const STEP = 2;

export function print(root: Doc, width: number): string {
  const done: string[] = [];
  let current = '';
  let mustBreak = false;
  const newLine = (depth: number, blank: boolean) => {
    done.push(current.trimEnd());
    if (blank && done.at(-1) !== '' && done.length > 0) done.push('');
    current = ' '.repeat(depth * STEP);
    mustBreak = false;
  };
  const write = (text: string, depth: number) => {
    if (text === '' || (mustBreak && text === ' ')) return;
    if (mustBreak) newLine(depth, false);
    const lines = (current + text).split('\n');
    current = lines.pop() ?? '';
    done.push(...lines.map(each => each.trimEnd()));
  };
  const todo: Command[] = [{ doc: root, depth: 0, broken: true }];
  for (let command = todo.pop(); command; command = todo.pop()) {
    const { doc, depth, broken } = command;
    if (typeof doc === 'string') write(doc, depth);
    else if (Array.isArray(doc)) {
      for (let i = doc.length - 1; i >= 0; i--) todo.push({ doc: doc[i] ?? '', depth, broken });
    } else if (doc.kind === 'group') {
      const flat: Command = { doc: doc.content, depth, broken: false };
      const fitting = !doc.forced && !mustBreak && fits(width - current.length, flat, todo);
      todo.push({ ...flat, broken: !fitting });
    } else if (doc.kind === 'indent') todo.push({ doc: doc.content, depth: depth + 1, broken });
    else if (doc.kind === 'aside') write(doc.text, depth);
    else if (doc.kind === 'ended') mustBreak = true;
    else if (broken || doc.hard) newLine(depth, doc.blank);
    else if (!mustBreak) current += doc.flat;
  }
  return [...done, current.trimEnd()].join('\n');
}

/** Does `first`, flat, and what follows it up to the next place that may break, fit into `room` columns? */
function fits(room: number, first: Command, after: Command[]): boolean {
  let left = room;
  let next = after.length;
  const todo: Command[] = [first];
  while (left >= 0) {
    const command = todo.pop() ?? after[--next];
    if (!command) return true;
    const { doc, depth, broken } = command;
    if (typeof doc === 'string') left -= doc.length;
    else if (Array.isArray(doc))
      for (let i = doc.length - 1; i >= 0; i--) todo.push({ doc: doc[i] ?? '', depth, broken });
    else if (doc.kind === 'group') todo.push({ doc: doc.content, depth, broken });
    else if (doc.kind === 'indent') todo.push({ doc: doc.content, depth, broken });
    else if (doc.kind === 'aside') continue;
    else if (doc.kind === 'ended' || broken || doc.hard) return true;
    else left -= doc.flat.length;
  }
  return false;
}
