/** Comments as part of the layout: how the gap before a word is printed, given what would separate the words without them. */
import { aside, type Doc, ended, hardLine, line, softLine, withBlank } from './document.ts';
import type { Piece } from './pieces.ts';

/** `first`: the start of the file, which has no word before it. */
export type Separator = 'first' | 'none' | 'space' | 'soft' | 'line' | 'hard';

const plain: Record<Separator, Doc> = {
  first: '',
  none: '',
  space: ' ',
  soft: softLine,
  line,
  hard: hardLine,
};

const together = (run: string[]): Doc =>
  run.map((comment, i) => [i > 0 ? ' ' : '', comment, comment.startsWith('//') ? ended : '']);

const behind = (run: string[]): Doc =>
  run.map(comment => [aside(` ${comment}`), comment.startsWith('//') ? ended : '']);

/** A word and the gap before it. Empty lines are kept where `blanks` says so: between statements and between fields. */
export function word({ text, gap }: Piece, separator: Separator, blanks = false): Doc {
  const { runs, blank } = gap;
  const last = runs.length - 1;
  if (separator === 'none' || separator === 'space') {
    const comments = runs.flat();
    const close = comments.length === 0 || separator === 'none';
    return [comments.length === 0 ? plain[separator] : [' ', together(comments)], close ? '' : ' ', text];
  }
  const bound = runs[last] ?? [];
  const own: Doc = bound.length > 0 ? [together(bound), ' ', text] : text;
  const end = (doc: Doc): Doc => (blanks && blank[last] ? withBlank(doc) : doc);
  const above = runs.slice(0, last);
  if (above.every(run => run.length === 0)) return [separator === 'first' ? '' : end(plain[separator]), own];
  return [before(above, blank, separator === 'first', blanks), end(hardLine), own];
}

/** The lines of a gap above the last: behind the word before, then on lines of their own. */
function before(runs: string[][], blank: boolean[], first: boolean, blanks: boolean): Doc {
  let started = first;
  return runs.map((run, i) => {
    if (run.length === 0) return '';
    const fresh = started && first;
    started = false;
    if (fresh) return together(run);
    if (i === 0) return behind(run);
    return [blanks && blank[i] ? withBlank(hardLine) : hardLine, together(run)];
  });
}

/** A closing sign: the comments before it belong inside, so they come apart from it. */
export function closing(
  { text, gap }: Piece,
  separator: 'soft' | 'line',
  blanks = false,
): { inside: Doc; outside: Doc } {
  const { runs, blank } = gap;
  const any = runs.some(run => run.length > 0);
  const inside = any ? before(runs, blank, false, blanks) : '';
  return { inside, outside: [any && runs.length > 1 ? hardLine : plain[separator], text] };
}
