/**
 * Expressions of profiles: + - * / ^ with the usual bindings, ^ from the right and tighter than a sign, parentheses and
 * calls. By hand, because a profile is one run of tokens and the first that does not fit is the one to show.
 */
import type { IToken } from 'chevrotain';
import type { ExpressionNode, Name } from './ast.ts';
import { fix, type Report } from './diagnostics/report.ts';
import type { Span } from './program.ts';
import { cover, type Source } from './source.ts';
import {
  Caret,
  Comma,
  endOf,
  is,
  LeftParen,
  Minus,
  NumberToken,
  Plus,
  RightParen,
  Slash,
  Star,
  Word,
} from './tokens.ts';
import { readNumber } from './units.ts';

/** Deeper nesting would exhaust the stack of whoever walks the tree. */
const MAX_DEPTH = 64;

/** Stops at the first mistake; it is told. */
class Stop extends Error {}

/** The expression that `tokens` spell; undefined: told. `place` is shown when there are none. */
export function readExpression(
  tokens: IToken[],
  place: Span,
  source: Source,
  report: Report,
): ExpressionNode | undefined {
  try {
    return new Reader(tokens, place, source, report).whole();
  } catch (error) {
    if (error instanceof Stop) return undefined;
    throw error;
  }
}

class Reader {
  private at = 0;
  private depth = 0;
  private readonly tokens: IToken[];
  private readonly place: Span;
  private readonly source: Source;
  private readonly report: Report;

  constructor(tokens: IToken[], place: Span, source: Source, report: Report) {
    this.tokens = tokens;
    this.place = place;
    this.source = source;
    this.report = report;
  }

  whole(): ExpressionNode {
    const result = this.sum();
    const extra = this.tokens[this.at];
    if (extra) {
      const operand = is(extra, Word) || is(extra, NumberToken) || is(extra, LeftParen);
      if (is(extra, RightParen)) this.stop(this.span(extra), 'this `)` closes nothing', 'remove it');
      if (operand)
        this.stop(
          this.span(extra),
          `an operator is missing before \`${extra.image}\``,
          'write `*`, or what is meant',
        );
      this.stop(this.span(extra), `\`${extra.image}\` does not fit into an expression`, 'remove it');
    }
    return result;
  }

  private span(token: IToken): Span {
    return this.source.span(token.startOffset, endOf(token));
  }

  private stop(span: Span, message: string, help: string, meant?: string): never {
    const extra = meant ? fix(`write \`${meant}\``, span, meant, 'safe') : {};
    this.report.add('bad-expression', span, message, { help, ...extra });
    throw new Stop();
  }

  private next(type: Parameters<typeof is>[1]): IToken | undefined {
    const token = this.tokens[this.at];
    if (!is(token, type)) return undefined;
    this.at++;
    return token;
  }

  private sum(): ExpressionNode {
    if (++this.depth > MAX_DEPTH)
      this.stop(this.place, 'this expression is nested too deep', 'write it in fewer parentheses');
    let left = this.product();
    for (;;) {
      const operator = this.next(Plus) ? '+' : this.next(Minus) ? '-' : undefined;
      if (!operator) break;
      left = this.join(operator, left, this.product());
    }
    this.depth--;
    return left;
  }

  private product(): ExpressionNode {
    let left = this.signed();
    for (;;) {
      const operator = this.next(Star) ? '*' : this.next(Slash) ? '/' : undefined;
      if (!operator) return left;
      left = this.join(operator, left, this.signed());
    }
  }

  private signed(): ExpressionNode {
    const signs: IToken[] = [];
    for (let sign = this.next(Minus); sign; sign = this.next(Minus)) signs.push(sign);
    let operand = this.power();
    for (const sign of signs.reverse()) {
      operand = { kind: 'negate', operand, span: cover(this.span(sign), operand.span) };
    }
    return operand;
  }

  private power(): ExpressionNode {
    const base = this.atom();
    if (!this.next(Caret)) return base;
    if (++this.depth > MAX_DEPTH)
      this.stop(this.place, 'this expression is nested too deep', 'write it in fewer powers');
    const exponent = this.signed();
    this.depth--;
    return this.join('^', base, exponent);
  }

  private join(
    operator: '+' | '-' | '*' | '/' | '^',
    left: ExpressionNode,
    right: ExpressionNode,
  ): ExpressionNode {
    return { kind: 'binary', operator, left, right, span: cover(left.span, right.span) };
  }

  private atom(): ExpressionNode {
    const number = this.next(NumberToken);
    if (number) return this.number(number);
    const word = this.next(Word);
    if (word) return this.named(word);
    const open = this.next(LeftParen);
    if (open) {
      const inside = this.sum();
      const close = this.close(open);
      return { ...inside, span: cover(this.span(open), this.span(close)) };
    }
    const [previous, found] = [this.tokens[this.at - 1], this.tokens[this.at]];
    if (found && !is(found, RightParen) && !is(found, Comma)) {
      this.stop(
        this.span(found),
        `\`${found.image}\` does not fit into an expression`,
        'remove it, or write an operand before it',
      );
    }
    const span = previous ? this.span(previous) : this.place;
    return this.stop(
      span,
      previous ? `an operand is missing after \`${previous.image}\`` : 'there is no expression here',
      'write a number, a name or a call',
    );
  }

  private number(token: IToken): ExpressionNode {
    const read = readNumber(token.image);
    const span = this.span(token);
    if ('code' in read) {
      // `2r` is how one writes it by hand.
      const factor = /^([\d.]+)([A-Za-z_]\w*)$/.exec(token.image);
      if (factor) {
        const meant = `${factor[1]}*${factor[2]}`;
        this.stop(span, `an operator is missing in \`${token.image}\``, `write \`${meant}\``, meant);
      }
      this.stop(span, read.message, read.help ?? 'write a number', read.meant);
    }
    if (read.dimension !== 'none')
      this.stop(span, 'a number in an expression has no unit', 'write the plain number');
    return { kind: 'number', value: read.value, span };
  }

  private named(word: IToken): ExpressionNode {
    const name: Name = { text: word.image, span: this.span(word) };
    const open = this.next(LeftParen);
    if (!open) return { kind: 'name', name: name.text, span: name.span };
    const args: ExpressionNode[] = [];
    if (!is(this.tokens[this.at], RightParen)) {
      do args.push(this.sum());
      while (this.next(Comma));
    }
    return { kind: 'call', name, args, span: cover(name.span, this.span(this.close(open))) };
  }

  private close(open: IToken): IToken {
    const found = this.tokens[this.at];
    const close = this.next(RightParen);
    if (close) return close;
    if (found) {
      const operand = is(found, Word) || is(found, NumberToken) || is(found, LeftParen);
      this.stop(
        this.span(found),
        operand
          ? `an operator is missing before \`${found.image}\``
          : `\`${found.image}\` does not fit into an expression`,
        operand ? 'write `*`, or what is meant' : 'remove it',
      );
    }
    return this.stop(this.span(open), 'this `(` is not closed', 'write `)` where it ends');
  }
}
