/**
 * The rules. They accept more than the language: a missing comma, a stray sign, an unclosed bracket all have a place
 * here, so that one slip never derails what follows; syntax.ts reports them while it builds the tree. Chevrotain's own
 * recovery stays on for what is left.
 *
 * Kinds are words. A body ends at its `>`, or, unclosed, where a kind word starts a new block.
 */
import type { CstNode, IRecognitionException, IToken } from 'chevrotain';
import { type Rule, SpaceRules } from './grammar-space.ts';
import {
  allTokens,
  Caret,
  Colon,
  Comma,
  Constant,
  DotDot,
  Equals,
  False,
  Greater,
  is,
  LeftParen,
  LeftSquare,
  Less,
  Let,
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
  Use,
  Word,
} from './tokens.ts';
import { isUnit } from './units.ts';

const outsideHeader = [
  Colon,
  Equals,
  Star,
  DotDot,
  LeftParen,
  RightParen,
  LeftSquare,
  RightSquare,
  Minus,
  Percent,
  Plus,
  Slash,
  Caret,
  NumberToken,
  Constant,
  True,
  False,
];

const anything = [...outsideHeader, StringToken, Less, Greater, Comma, Semicolon];
const strayInField = [
  Colon,
  Equals,
  Star,
  DotDot,
  LeftParen,
  RightParen,
  RightSquare,
  Minus,
  Percent,
  Plus,
  Slash,
  Caret,
  Less,
  Greater,
];
const strayInParenthesis = [
  Colon,
  Equals,
  Star,
  DotDot,
  LeftParen,
  RightSquare,
  Minus,
  Percent,
  Plus,
  Slash,
  Caret,
  Less,
  Greater,
  Semicolon,
];

class MosParser extends SpaceRules {
  constructor() {
    super(allTokens, { recoveryEnabled: true, maxLookahead: 1, nodeLocationTracking: 'none' });
    this.performSelfAnalysis();
  }

  start(text: string, tokens: IToken[]): CstNode {
    this.text = text;
    this.input = tokens;
    return this.file();
  }

  file: Rule = this.RULE('file', () => {
    this.MANY(() =>
      this.OR({
        DEF: [
          { ALT: () => this.SUBRULE(this.use) },
          { ALT: () => this.SUBRULE(this.constant) },
          { ALT: () => this.SUBRULE(this.space) },
          { GATE: () => this.atOrphan(), ALT: () => this.SUBRULE(this.orphan) },
          { ALT: () => this.SUBRULE(this.block) },
          { ALT: () => this.SUBRULE(this.stray) },
        ],
        IGNORE_AMBIGUITIES: true,
      }),
    );
  });

  private stray: Rule = this.RULE('stray', () => {
    this.AT_LEAST_ONE(() => this.SUBRULE(this.strayToken));
  });

  private strayToken: Rule = this.RULE('strayToken', () => {
    this.OR(anything.map(type => ({ ALT: () => this.CONSUME(type) })));
  });

  private use: Rule = this.RULE('use', () => {
    this.CONSUME(Use);
    this.OPTION(() => this.CONSUME(StringToken));
    this.OPTION1(() => this.CONSUME(Semicolon));
  });

  private constant: Rule = this.RULE('constant', () => {
    this.CONSUME(Let);
    this.OPTION(() =>
      this.OR([
        { ALT: () => this.CONSUME(Word) },
        { ALT: () => this.CONSUME(Constant) },
        // A reserved word where a name is meant: told as such.
        ...[Use, Space, True, False].map(type => ({
          GATE: () => this.at(2, Equals),
          ALT: () => this.CONSUME(type, { LABEL: 'reserved' }),
        })),
      ]),
    );
    this.OPTION1(() => {
      this.OR1([{ ALT: () => this.CONSUME(Equals) }, { ALT: () => this.CONSUME(Colon) }]);
      this.OPTION2({ GATE: () => this.atValue(), DEF: () => this.SUBRULE(this.value) });
    });
    this.MANY({
      GATE: () => !this.at(1, Semicolon) && !this.onNewLine() && !this.atStatement(),
      DEF: () => this.SUBRULE(this.junk),
    });
    this.OPTION3(() => this.CONSUME(Semicolon));
  });

  /** Any token; where it may be taken is for the caller's gate to say. */
  private junk: Rule = this.RULE('junk', () => {
    this.OR([Word, ...anything].map(type => ({ ALT: () => this.CONSUME(type) })));
  });

  private orphan: Rule = this.RULE('orphan', () => {
    this.AT_LEAST_ONE({
      GATE: () => this.atField() || this.at(1, Semicolon),
      DEF: () => this.OR([{ ALT: () => this.SUBRULE(this.field) }, { ALT: () => this.CONSUME(Semicolon) }]),
    });
    this.OPTION(() => this.CONSUME(Greater));
  });

  private block: Rule = this.RULE('block', () => {
    this.CONSUME(Word);
    this.OPTION({
      GATE: () => this.atLabel(),
      DEF: () => {
        this.CONSUME1(Word, { LABEL: 'label' });
        this.CONSUME(Colon);
      },
    });
    this.MANY({ GATE: () => this.headerGoesOn(), DEF: () => this.SUBRULE(this.headerPart) });
    this.OPTION1({
      GATE: () => this.at(1, Less) || (this.atField() && !(this.atStatement() && this.onNewLine())),
      DEF: () => this.SUBRULE(this.body),
    });
  });

  private headerPart: Rule = this.RULE('headerPart', () => {
    this.OR({
      DEF: [
        { GATE: () => this.atClause('on', StringToken), ALT: () => this.SUBRULE(this.on) },
        { GATE: () => this.atClause('layers', NumberToken), ALT: () => this.SUBRULE(this.layers) },
        { ALT: () => this.SUBRULE(this.path) },
        { ALT: () => this.CONSUME(StringToken) },
        { ALT: () => this.CONSUME(Comma) },
        ...[...outsideHeader, Less, Greater, Semicolon].map(type => ({
          ALT: () => this.CONSUME(type, { LABEL: 'stray' }),
        })),
      ],
      IGNORE_AMBIGUITIES: true,
    });
  });

  private on: Rule = this.RULE('on', () => {
    this.CONSUME(Word);
    this.CONSUME(StringToken);
    this.MANY({
      GATE: () => this.at(2, StringToken),
      DEF: () => {
        this.CONSUME(Comma);
        this.CONSUME1(StringToken);
      },
    });
  });

  private layers: Rule = this.RULE('layers', () => {
    this.CONSUME(Word);
    this.SUBRULE(this.range);
    this.MANY({
      GATE: () => this.at(2, NumberToken, Minus),
      DEF: () => {
        this.CONSUME(Comma);
        this.SUBRULE1(this.range);
      },
    });
  });

  /** A path, or words joined by hyphens: `all-linear`. */
  private path: Rule = this.RULE('path', () => {
    this.CONSUME(Word);
    this.MANY({
      GATE: () => this.at(2, Word),
      DEF: () => {
        this.CONSUME(Minus);
        this.CONSUME1(Word);
      },
    });
  });

  private body: Rule = this.RULE('body', () => {
    this.OPTION(() => this.CONSUME(Less));
    this.MANY({
      GATE: () => !this.atStatement() && (!this.at(1, Greater) || this.premature()),
      DEF: () =>
        this.OR([
          { ALT: () => this.SUBRULE(this.field) },
          { ALT: () => this.CONSUME(Semicolon) },
          { ALT: () => this.SUBRULE(this.strayInBody) },
        ]),
    });
    this.OPTION1(() => this.CONSUME(Greater));
  });

  /** Something that starts no field, and all that follows it up to where one can start again. */
  private strayInBody: Rule = this.RULE('strayInBody', () => {
    this.OR(
      [...outsideHeader, StringToken, Comma, Less, Greater].map(type => ({ ALT: () => this.CONSUME(type) })),
    );
    this.MANY({
      GATE: () =>
        !this.at(1, Semicolon) &&
        !(this.at(1, Greater) && !this.premature()) &&
        !this.atStatement() &&
        !(this.atField() && this.onNewLine()),
      DEF: () => this.SUBRULE(this.junk),
    });
  });

  private field: Rule = this.RULE('field', () => {
    this.CONSUME(Word);
    this.OPTION(() => this.OR([{ ALT: () => this.CONSUME(Colon) }, { ALT: () => this.CONSUME(Equals) }]));
    this.MANY({
      GATE: () => this.fieldGoesOn(),
      DEF: () =>
        this.OR1({
          DEF: [
            { GATE: () => this.atValue(), ALT: () => this.SUBRULE(this.value) },
            { ALT: () => this.CONSUME(Comma) },
            ...strayInField.map(type => ({ ALT: () => this.CONSUME1(type, { LABEL: 'stray' }) })),
          ],
          IGNORE_AMBIGUITIES: true,
        }),
    });
  });

  protected value: Rule = this.RULE('value', () => {
    this.OR([
      { ALT: () => this.CONSUME(StringToken) },
      { ALT: () => this.SUBRULE(this.range) },
      { ALT: () => this.CONSUME(True) },
      { ALT: () => this.CONSUME(False) },
      {
        ALT: () => {
          this.CONSUME(Constant);
          this.OPTION1(() => this.SUBRULE(this.parenthesis));
        },
      },
      { ALT: () => this.SUBRULE(this.list) },
      { ALT: () => this.SUBRULE(this.call) },
    ]);
    this.OPTION({
      GATE: () => this.at(2, NumberToken, Minus),
      DEF: () => {
        this.CONSUME(Star);
        this.SUBRULE(this.quantity);
      },
    });
  });

  private range: Rule = this.RULE('range', () => {
    this.SUBRULE(this.quantity);
    this.OPTION(() => {
      this.CONSUME(DotDot);
      this.OPTION1({ GATE: () => this.at(1, NumberToken, Minus), DEF: () => this.SUBRULE1(this.quantity) });
    });
  });

  /** A number; a unit that stands apart is taken along, to be reported. */
  private quantity: Rule = this.RULE('quantity', () => {
    this.OPTION(() => this.CONSUME(Minus));
    this.CONSUME(NumberToken);
    this.OPTION1({
      GATE: () =>
        this.at(1, Percent) ||
        (is(this.LA(1), Word) && isUnit(this.LA(1).image) && !this.atField() && !this.onNewLine()),
      DEF: () => this.OR([{ ALT: () => this.CONSUME(Percent) }, { ALT: () => this.CONSUME(Word) }]),
    });
  });

  private list: Rule = this.RULE('list', () => {
    this.CONSUME(LeftSquare);
    this.MANY({
      GATE: () => this.at(1, Comma) || this.atValue(),
      DEF: () => this.OR([{ ALT: () => this.SUBRULE(this.value) }, { ALT: () => this.CONSUME(Comma) }]),
    });
    this.OPTION(() => this.CONSUME(RightSquare));
  });

  private call: Rule = this.RULE('call', () => {
    this.SUBRULE(this.path);
    this.OPTION(() => this.SUBRULE(this.parenthesis));
  });

  private parenthesis: Rule = this.RULE('parenthesis', () => {
    this.CONSUME(LeftParen);
    this.MANY({
      GATE: () => this.parenthesisGoesOn(),
      DEF: () =>
        this.OR({
          DEF: [
            { GATE: () => this.atField() || this.atValue(), ALT: () => this.SUBRULE(this.argument) },
            { ALT: () => this.CONSUME(Comma) },
            ...strayInParenthesis.map(type => ({ ALT: () => this.CONSUME1(type, { LABEL: 'stray' }) })),
          ],
          IGNORE_AMBIGUITIES: true,
        }),
    });
    this.OPTION(() => this.CONSUME(RightParen));
  });

  private argument: Rule = this.RULE('argument', () => {
    this.OR({
      DEF: [
        {
          GATE: () => this.atField(),
          ALT: () => {
            this.CONSUME(Word);
            this.OR1([{ ALT: () => this.CONSUME(Equals) }, { ALT: () => this.CONSUME(Colon) }]);
            this.OPTION({ GATE: () => this.atValue(), DEF: () => this.SUBRULE(this.value) });
          },
        },
        { ALT: () => this.SUBRULE1(this.value) },
      ],
      IGNORE_AMBIGUITIES: true,
    });
  });
}

const parser = new MosParser();

/** Chevrotain's classes carry it, its common interface does not say so. */
const before = (error: IRecognitionException): IToken | undefined =>
  'previousToken' in error ? (error.previousToken as IToken | undefined) : undefined;

export interface Parsed {
  tree: CstNode;
  /** Where the parser itself was at a loss; the token before and the token found. */
  failures: { previous: IToken | undefined; found: IToken }[];
}

/** The parser is one object, reused: building it costs more than any file. */
export function parse(text: string, tokens: IToken[]): Parsed {
  const tree = parser.start(text, tokens);
  return { tree, failures: parser.errors.map(error => ({ previous: before(error), found: error.token })) };
}
