/**
 * What the grammar asks before it takes a token: does a field start here, does a body end, is this sign a slip? None of
 * it changes what a well-formed file means; it decides how a broken one is read, so that the rest of it makes sense.
 */
import { CstParser, EOF, type TokenType } from 'chevrotain';
import {
  Colon,
  Comma,
  Constant,
  Equals,
  endOf,
  False,
  Greater,
  is,
  LeftParen,
  LeftSquare,
  Less,
  Let,
  Minus,
  NumberToken,
  RightParen,
  Semicolon,
  Space,
  StringToken,
  True,
  Use,
  Word,
} from './tokens.ts';
import { isKind, KIND } from './vocabulary/kinds.ts';

const valueStart = [StringToken, NumberToken, Minus, True, False, Constant, LeftSquare, Word];

/** How many tokens a guess looks ahead at most, so that long nonsense costs no more than long sense. */
const FAR = 400;

export abstract class Guesses extends CstParser {
  /** Where lines start does not matter to the language; it only helps to guess after a mistake. */
  protected text = '';

  protected override canTokenTypeBeInsertedInRecovery(type: TokenType): boolean {
    return type !== Less && type !== Greater;
  }

  protected at(offset: number, ...types: TokenType[]): boolean {
    // Asked several times for every token, so without a closure.
    const token = this.LA(offset);
    for (const type of types) if (is(token, type)) return true;
    return false;
  }

  protected onNewLine(offset = 1): boolean {
    const previous = this.LA(offset - 1);
    const next = this.LA(offset);
    return !previous?.image || /[\r\n]/.test(this.text.slice(endOf(previous), next.startOffset));
  }

  /** A word that starts a block wherever a block can start; followed by `:` it is a field or a label. */
  protected atBlock(offset = 1): boolean {
    const token = this.LA(offset);
    return is(token, Word) && isKind(token.image) && this.at(offset + 1, Word, StringToken, Less);
  }

  protected atStatement(offset = 1): boolean {
    return this.at(offset, Use, Let, Space) || this.atBlock(offset);
  }

  protected atField(): boolean {
    return this.at(1, Word) && this.at(2, Colon, Equals);
  }

  protected atValue(): boolean {
    if (this.at(1, Minus)) return this.at(2, NumberToken);
    return this.at(1, ...valueStart) && !this.atField();
  }

  /** `on "…"` and `layers 2`; without what must follow, both are targets like any other. */
  protected atClause(name: string, type: TokenType): boolean {
    return (
      this.at(1, Word) &&
      this.LA(1).image === name &&
      (this.at(2, type) || (type === NumberToken && this.at(2, Minus)))
    );
  }

  protected atLabel(): boolean {
    if (!this.at(1, Word) || !this.at(2, Colon)) return false;
    const kind = this.LA(0).image;
    return !isKind(kind) || KIND[kind].label || this.at(3, Less, StringToken);
  }

  /** The first of `types` from the `offset`-th token on, before the next statement; undefined if there is none. */
  protected ahead(offset: number, ...types: TokenType[]): TokenType | undefined {
    for (let i = offset; i < offset + FAR; i++) {
      if (this.at(i, EOF) || (this.atStatement(i) && this.onNewLine(i))) return undefined;
      const found = types.find(type => is(this.LA(i), type));
      if (found) return found;
    }
    return undefined;
  }

  /** A `<` is still to come, so this is no body yet. */
  protected inHeader(offset = 1): boolean {
    return this.ahead(offset, Less, Greater, Semicolon) === Less;
  }

  protected headerGoesOn(): boolean {
    if (this.atStatement() && this.onNewLine()) return false;
    if (this.at(1, Less)) return this.premature();
    if (this.at(1, Greater, Semicolon)) return this.inHeader(2);
    return !this.atField() || this.inHeader();
  }

  /** A sign that would end or start a body, with another of its sort to follow: it stands here by mistake. */
  protected premature(): boolean {
    if (this.at(1, Less)) return this.ahead(2, Less, Greater) === Less;
    return this.at(1, Greater) && this.ahead(2, Greater, Less) === Greater;
  }

  /** A `;` in parentheses that go on after it. */
  protected prematureSemicolon(): boolean {
    return (
      this.at(1, Semicolon) &&
      this.ahead(2, RightParen, LeftParen, Semicolon, Less, Greater, Colon) === RightParen
    );
  }

  protected atOrphan(): boolean {
    const { image } = this.LA(1);
    return this.atField() && !(isKind(image) && KIND[image].label) && !this.inHeader();
  }

  protected fieldGoesOn(): boolean {
    if (this.atField()) return false;
    if (this.at(1, Less, Greater)) return this.premature();
    // On a new line a word continues the field only after a sign that asks for a value.
    return (
      !this.at(1, Word) || !this.onNewLine() || (this.at(0, Colon, Equals, Comma) && !this.atStatement())
    );
  }

  protected parenthesisGoesOn(): boolean {
    if (this.at(1, Less, Greater)) return this.premature();
    if (this.at(1, Semicolon)) return this.prematureSemicolon();
    return !(this.atField() && this.at(2, Colon) && this.onNewLine());
  }
}
