/**
 * Where lines may break. The file is known to be well formed, so each rule reads the words it expects and needs no
 * way out; a body stands on one line if it fits, and has one field per line if not.
 */
import type { TokenType } from 'chevrotain';
import {
  Caret,
  Colon,
  Comma,
  DotDot,
  Equals,
  Greater,
  is,
  LeftParen,
  LeftSquare,
  Less,
  Minus,
  NumberToken,
  Plus,
  RightParen,
  RightSquare,
  Semicolon,
  Slash,
  Star,
  StringToken,
  Word,
} from '../tokens.ts';
import { isKind } from '../vocabulary/kinds.ts';
import { type Doc, group, indent } from './document.ts';
import { closing, type Separator, word } from './gaps.ts';
import type { Piece, Statement } from './pieces.ts';

const operators = [Plus, Minus, Star, Slash];
const closers = [Comma, Semicolon, Greater, RightParen, RightSquare];

/** What a run of words is part of. In an expression `a-b` is a difference, elsewhere it is one word with a hyphen. */
type Context = 'value' | 'expression';

export function layOut({ kind, pieces }: Statement, first: boolean): Doc {
  return new Layout(pieces).statement(kind, first);
}

class Layout {
  private readonly pieces: Piece[];
  private at = 0;

  constructor(pieces: Piece[]) {
    this.pieces = pieces;
  }

  private is(type: TokenType, ahead = 0): boolean {
    return is(this.pieces[this.at + ahead]?.token, type);
  }

  private was(type: TokenType, back = 1): boolean {
    return is(this.pieces[this.at - back]?.token, type);
  }

  private get more(): boolean {
    return this.at < this.pieces.length;
  }

  private next(): Piece {
    const piece = this.pieces[this.at++];
    if (!piece) throw new Error('the layout ran past the end of a statement');
    return piece;
  }

  private word(separator: Separator, blanks = false): Doc {
    return word(this.next(), separator, blanks);
  }

  statement(kind: Statement['kind'], first: boolean): Doc {
    const start = this.word(first ? 'first' : 'hard', true);
    switch (kind) {
      case 'use':
        return [start, this.rest('space')];
      case 'let':
        return [start, this.word('space'), this.word('space'), this.run('value', 'space'), this.rest('none')];
      case 'space':
        return this.space(start);
      case 'block':
        return this.block(start);
      case 'stray':
        throw new Error('a file with stray text is not laid out');
      default:
        return kind satisfies never;
    }
  }

  private rest(separator: Separator): Doc {
    const words: Doc[] = [];
    while (this.more)
      words.push(this.word(this.is(Semicolon) || !this.pieces[this.at]?.token ? 'none' : separator));
    return words;
  }

  private block(start: Doc): Doc {
    const header: Doc[] = [];
    if (this.is(Word) && this.is(Colon, 1)) header.push(this.word('space'), this.word('none'));
    while (!this.is(Less)) header.push(this.headerWord());
    return [start, group([indent(indent(header)), this.body(() => this.field())])];
  }

  /** A word that starts a block cannot start a line of a header: it would be read as one. */
  private headerWord(): Doc {
    const looksLikeBlock =
      isKind(this.pieces[this.at]?.text ?? '') &&
      (this.is(Word, 1) || this.is(StringToken, 1) || this.is(Less, 1));
    const clause =
      this.is(Word) &&
      ((this.pieces[this.at]?.text === 'on' && this.is(StringToken, 1)) ||
        (this.pieces[this.at]?.text === 'layers' && (this.is(NumberToken, 1) || this.is(Minus, 1))));
    const hyphen = this.is(Minus) && this.was(Word) && this.is(Word, 1);
    if (this.is(Comma) || this.is(DotDot) || this.is(Colon) || hyphen || this.was(Minus) || this.was(DotDot))
      return this.word('none');
    if ((this.was(Comma) || clause) && !looksLikeBlock) return group(this.word('line'));
    return this.word('space');
  }

  private body(item: () => Doc): Doc {
    const open = this.word('space');
    const inside: Doc[] = [];
    while (!this.is(Greater)) {
      inside.push(item());
      if (this.is(Semicolon)) inside.push(this.word('none'));
    }
    const { inside: last, outside } = closing(this.next(), 'line', inside.length > 0);
    return [open, indent([inside, last]), outside];
  }

  private field(): Doc {
    const name = [this.word('line', !this.was(Less)), this.word('none')];
    const single = this.commas() === 0;
    if (single) return [name, this.run('value', 'space')];
    const values: Doc[] = [this.run('value', 'line')];
    while (this.is(Comma)) values.push(this.word('none'), this.run('value', 'line'));
    return [name, group(indent(values))];
  }

  /** Commas between here and the end of the field, outside brackets. */
  private commas(): number {
    let depth = 0;
    let count = 0;
    for (const { token } of this.pieces.slice(this.at)) {
      if (is(token, LeftParen) || is(token, LeftSquare)) depth++;
      else if (is(token, RightParen) || is(token, RightSquare)) depth--;
      else if (depth === 0 && (is(token, Semicolon) || is(token, Greater))) break;
      else if (depth === 0 && is(token, Comma)) count++;
    }
    return count;
  }

  private space(start: Doc): Doc {
    const head: Doc[] = [this.word('space')];
    if (this.is(LeftParen)) head.push(this.bracket('none', () => this.param()));
    return [start, group([indent(indent(head)), this.body(() => this.profile())])];
  }

  private param(): Doc {
    const parts: Doc[] = [this.word(this.was(Comma) ? 'line' : 'soft')];
    if (this.is(Colon)) parts.push(this.word('none'), this.word('space'));
    if (this.is(Equals)) parts.push(this.word('space'), this.run('value', 'space'));
    return parts;
  }

  private profile(): Doc {
    const head: Doc[] = [this.word('line', !this.was(Less))];
    if (this.is(LeftParen)) head.push(this.bracket('none', () => this.run('value', 'soft')));
    if (this.is(Equals)) head.push(this.word('space'), group(indent(this.run('expression', 'line'))));
    return head;
  }

  /** Words up to the next comma or the end of what holds them. */
  private run(context: Context, separator: Separator): Doc {
    const words: Doc[] = [];
    const start = this.at;
    while (this.more && this.pieces[this.at]?.token && !closers.some(type => this.is(type))) {
      const before = this.at === start ? separator : this.between(context, start);
      if (this.is(LeftParen) || this.is(LeftSquare))
        words.push(this.bracket(before, () => this.item(context)));
      else words.push(this.word(before));
    }
    return words;
  }

  /** An item of a bracket: a value, or `name=value`. */
  private item(context: Context): Doc {
    const separator = this.was(Comma) ? 'line' : 'soft';
    if (this.is(Word) && this.is(Equals, 1)) {
      return [this.word(separator), this.word('none'), this.run(context, 'none')];
    }
    return this.run(context, separator);
  }

  private bracket(separator: Separator, item: () => Doc): Doc {
    const open = this.word(separator);
    const inside: Doc[] = [];
    while (!this.is(RightParen) && !this.is(RightSquare))
      inside.push(this.is(Comma) ? this.word('none') : item());
    const { inside: last, outside } = closing(this.next(), 'soft');
    // The line before the bracket breaks or not as its own list does.
    return [open, group([indent([inside, last]), outside])];
  }

  /** What separates a word from the one before it in the same value. */
  private between(context: Context, start: number): Separator {
    if (this.is(DotDot) || this.was(DotDot) || this.is(Caret) || this.was(Caret)) return 'none';
    if ((this.is(LeftParen) || this.is(LeftSquare)) && this.was(Word)) return 'none';
    if (context === 'value' && this.is(Minus) && this.was(Word) && this.is(Word, 1)) return 'none';
    if (context === 'value' && this.was(Minus)) return 'none';
    const sign = this.at - 1;
    if (this.was(Minus) && this.unary(sign, start)) return 'none';
    if (context === 'expression' && operators.some(type => this.was(type))) return 'line';
    return 'space';
  }

  /** Is the minus at that place a sign, and no difference? */
  private unary(at: number, start: number): boolean {
    const before = this.pieces[at - 1]?.token;
    return at === start || [...operators, Caret, LeftParen, Comma, Equals].some(type => is(before, type));
  }
}
