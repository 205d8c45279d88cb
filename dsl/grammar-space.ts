/**
 * The rules of `space`. Its profiles are taken as flat runs of tokens up to the next `;` or `>`: expressions are read by
 * expression.ts, which can say at which token one goes wrong.
 */
import type { CstNode, ParserMethod } from 'chevrotain';
import { Guesses } from './guesses.ts';
import {
  Caret,
  Colon,
  Comma,
  Constant,
  DotDot,
  Equals,
  False,
  Greater,
  LeftParen,
  LeftSquare,
  Less,
  Minus,
  NumberToken,
  Percent,
  Plus,
  RightParen,
  RightSquare,
  Semicolon,
  Slash,
  Space,
  Star,
  StringToken,
  True,
  Word,
} from './tokens.ts';

export type Rule = ParserMethod<[], CstNode>;

const inExpression = [
  Word,
  NumberToken,
  LeftParen,
  RightParen,
  Plus,
  Minus,
  Star,
  Slash,
  Caret,
  Comma,
  Equals,
  Colon,
  DotDot,
  LeftSquare,
  RightSquare,
  Percent,
  Constant,
  True,
  False,
  StringToken,
];
const strayInDeclarations = inExpression.filter(type => ![Word, RightParen, Comma].includes(type));

export abstract class SpaceRules extends Guesses {
  protected abstract value: Rule;

  protected space: Rule = this.RULE('space', () => {
    this.CONSUME(Space);
    this.OPTION(() => this.CONSUME(Word));
    this.OPTION1(() => this.SUBRULE(this.declarations));
    this.MANY({
      GATE: () => !this.atStatement() && !this.onNewLine(),
      DEF: () => this.SUBRULE(this.spaceJunk),
    });
    this.OPTION2(() => {
      this.CONSUME(Less);
      this.MANY1({
        GATE: () => !this.atStatement(),
        DEF: () =>
          this.OR([{ ALT: () => this.SUBRULE(this.profile) }, { ALT: () => this.CONSUME(Semicolon) }]),
      });
      this.OPTION3(() => this.CONSUME(Greater));
    });
  });

  /** `(c: positive = learn, k)`. */
  private declarations: Rule = this.RULE('declarations', () => {
    this.CONSUME(LeftParen);
    this.MANY({
      GATE: () => !this.atStatement(),
      DEF: () =>
        this.OR([
          { ALT: () => this.SUBRULE(this.declaration) },
          { ALT: () => this.CONSUME(Comma) },
          ...strayInDeclarations.map(type => ({ ALT: () => this.CONSUME1(type, { LABEL: 'stray' }) })),
        ]),
    });
    this.OPTION(() => this.CONSUME(RightParen));
  });

  private declaration: Rule = this.RULE('declaration', () => {
    this.CONSUME(Word);
    this.OPTION(() => {
      this.CONSUME(Colon);
      this.OPTION1(() => this.CONSUME1(Word, { LABEL: 'domain' }));
    });
    this.OPTION2(() => {
      this.CONSUME(Equals);
      this.OPTION3({ GATE: () => this.atValue(), DEF: () => this.SUBRULE(this.value) });
    });
  });

  private spaceJunk: Rule = this.RULE('spaceJunk', () => {
    this.OR(inExpression.map(type => ({ ALT: () => this.CONSUME(type) })));
  });

  private profile: Rule = this.RULE('profile', () => {
    this.AT_LEAST_ONE({
      GATE: () => !this.atStatement(),
      DEF: () => this.OR(inExpression.map(type => ({ ALT: () => this.CONSUME(type) }))),
    });
  });
}
