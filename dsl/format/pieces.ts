/**
 * The words of a file with the comments between them. Every comment stays in the gap in which it was written, so none
 * can get lost or change places with another; the layout only decides where the lines of a gap break.
 */
import type { IToken } from 'chevrotain';
import type { FileNode } from '../ast.ts';
import { Comma, endOf, Greater, is, Less, Semicolon } from '../tokens.ts';

/** What stands between two words: comments by line. The first run stands behind the word before. */
export interface Gap {
  runs: string[][];
  /** An empty line stands before the run of that index. */
  blank: boolean[];
}

export interface Piece {
  text: string;
  /** Absent for the end of the file, and for a `;` that was left out. */
  token?: IToken;
  gap: Gap;
}

export type Statement = { kind: FileNode['statements'][number]['kind']; pieces: Piece[] };

interface Word {
  text: string;
  token?: IToken;
  start: number;
  end: number;
}

/** Statements as pieces, and the end of the file, which holds the last comments. */
export function cut(
  text: string,
  tokens: IToken[],
  comments: IToken[],
  file: FileNode,
): { statements: Statement[]; end: Piece } {
  let at = 0;
  const statements = file.statements.map(({ kind, span }) => {
    const start = at;
    while (at < tokens.length && (tokens[at]?.startOffset ?? 0) < span.end) at++;
    return { kind, words: tidy(tokens.slice(start, at), kind) };
  });
  const end: Word = { text: '', start: text.length + 1, end: text.length + 1 };
  const all = [...statements.flatMap(({ words }) => words), end];
  // The line end makes a comment at the very end stand behind what is before it.
  const pieces = withGaps(`${text}\n`, all, comments);
  let from = 0;
  const cutStatements = statements.map(({ kind, words }) => {
    const own = pieces.slice(from, from + words.length);
    from += words.length;
    return { kind, pieces: own };
  });
  return {
    statements: cutStatements,
    end: pieces.at(-1) ?? { text: '', gap: { runs: [[]], blank: [false] } },
  };
}

/** One `;` between two fields and none besides; one at the end of `use` and `let`. */
function tidy(tokens: IToken[], kind: Statement['kind']): Word[] {
  const kept = tokens.filter((token, i) => {
    if (!is(token, Semicolon)) return true;
    if (kind === 'use' || kind === 'let') return true;
    const before = tokens[i - 1];
    const after = tokens.slice(i + 1).find(next => !is(next, Semicolon));
    return !is(before, Less) && !is(before, Semicolon) && !is(after, Greater);
  });
  const words: Word[] = kept.map(token => ({
    text: token.image,
    token,
    start: token.startOffset,
    end: endOf(token),
  }));
  const last = words.at(-1);
  if (last && (kind === 'use' || kind === 'let') && last.text !== ';')
    words.push({ text: ';', start: last.end, end: last.end });
  return words;
}

function withGaps(text: string, words: Word[], comments: IToken[]): Piece[] {
  let next = 0;
  let from = 0;
  const pieces = words.map(({ text: word, token, start, end }): Piece => {
    const gap: Gap = { runs: [[]], blank: [false] };
    const space = (to: number) => {
      const breaks = text.slice(from, to).match(/\r\n|\n|\r/g)?.length ?? 0;
      if (breaks > 0) {
        gap.runs.push([]);
        gap.blank.push(breaks > 1);
      }
    };
    while ((comments[next]?.startOffset ?? Number.POSITIVE_INFINITY) < start) {
      const comment = comments[next++];
      if (!comment) break;
      space(comment.startOffset);
      gap.runs.at(-1)?.push(comment.image.replace(/\r\n?/g, '\n').trimEnd());
      from = endOf(comment);
    }
    space(start);
    from = end;
    return { text: word, ...(token && { token }), gap };
  });
  for (const [i, piece] of pieces.entries()) {
    const after = pieces[i + 1];
    if (after && (is(piece.token, Comma) || piece.text === ';')) piece.gap = handOn(piece.gap, after);
  }
  return pieces;
}

const inline = (): Gap => ({ runs: [[]], blank: [false] });

/** A comment at the end of a line goes behind the `,` or `;` that was written on the next. */
function handOn(gap: Gap, after: Piece): Gap {
  const last = gap.runs.length - 1;
  if (last === 0) return gap;
  if (gap.runs.every(run => run.length === 0)) return inline();
  const { runs, blank } = after.gap;
  after.gap = {
    runs: [...gap.runs.slice(0, last), [...(gap.runs[last] ?? []), ...(runs[0] ?? [])], ...runs.slice(1)],
    blank: [...gap.blank, ...blank.slice(1)],
  };
  return inline();
}
