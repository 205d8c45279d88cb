/**
 * What every word of a text is: a keyword, a field, a choice, a constant. Works on any text, broken or half written,
 * because editors ask while one types; it follows the shape of blocks and brackets and looks words up in the
 * vocabulary. Colours, completion and hover all come from here.
 */
import type { IToken } from 'chevrotain';
import { Source } from '../source.ts';
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
  RightSquare,
  Semicolon,
  Space,
  StringToken,
  True,
  tokenize,
  Use,
  Word,
} from '../tokens.ts';
import { isKind } from '../vocabulary/kinds.ts';

export type Role =
  | 'keyword'
  | 'label'
  | 'target'
  | 'field'
  | 'parameter'
  | 'choice'
  | 'constant'
  | 'space'
  | 'function'
  | 'variable'
  | 'string'
  | 'number'
  | 'sign'
  | 'comment';

/** A bracket that is open at a place. */
export interface Frame {
  /** The word before a `(`; absent for a `[`. */
  head?: string;
  /** The parameter whose value is being written. */
  param?: string;
  /** Parameters written so far. */
  given: string[];
}

/** Where a place is: between which signs, in which block. */
export interface Context {
  zone: 'top' | 'use' | 'let' | 'header' | 'body' | 'space-head' | 'space-body';
  /** The kind of the block. */
  kind?: string;
  /** The field whose value is being written; after `let name =`, the empty string. */
  field?: string;
  /** Fields written so far in the block. */
  given: string[];
  frames: Frame[];
}

export interface RoledToken {
  text: string;
  start: number;
  end: number;
  role: Role;
  /** Before the token. */
  context: Context;
}

const literal = (token: IToken): Role | undefined => {
  if (is(token, StringToken)) return 'string';
  if (is(token, NumberToken)) return 'number';
  if (is(token, True) || is(token, False)) return 'choice';
  return is(token, Constant) ? 'constant' : undefined;
};

const copy = (context: Context): Context => ({
  ...context,
  given: [...context.given],
  frames: context.frames.map(frame => ({ ...frame, given: [...frame.given] })),
});

class Walker {
  context: Context = { zone: 'top', given: [], frames: [] };

  private enter(zone: Context['zone'], kind?: string): void {
    this.context = { zone, given: [], frames: [], ...(kind !== undefined && { kind }) };
  }

  /** The role of a token; afterwards the context is that behind it. */
  step(token: IToken, previous: IToken | undefined, next: IToken | undefined): Role {
    if (is(token, Use)) return this.opened('use');
    if (is(token, Let)) return this.opened('let');
    if (is(token, Space)) return this.opened('space-head');
    const starts =
      is(token, Word) && isKind(token.image) && [Word, StringToken, Less].some(type => is(next, type));
    const free =
      this.context.zone !== 'header' && this.context.field === undefined && this.context.frames.length === 0;
    if (starts && (free || (this.context.zone !== 'header' && is(next, StringToken)))) {
      this.enter('header', token.image);
      return 'keyword';
    }
    if (this.bracket(token, previous)) return 'sign';
    return literal(token) ?? (is(token, Word) ? this.word(token, previous, next) : 'sign');
  }

  private opened(zone: Context['zone']): Role {
    this.enter(zone);
    return 'keyword';
  }

  /** Signs that open, close or separate. */
  private bracket(token: IToken, previous: IToken | undefined): boolean {
    const { context } = this;
    const frame = context.frames.at(-1);
    if (is(token, LeftParen))
      context.frames.push({ given: [], ...(is(previous, Word) && { head: previous?.image ?? '' }) });
    else if (is(token, LeftSquare)) context.frames.push({ given: [] });
    else if (is(token, RightParen) || is(token, RightSquare)) context.frames.pop();
    else if (is(token, Comma)) {
      if (frame) delete frame.param;
    } else if (is(token, Less)) {
      context.zone = context.zone === 'space-head' || context.zone === 'space-body' ? 'space-body' : 'body';
      context.frames = [];
      delete context.field;
    } else if (is(token, Greater)) this.enter('top');
    else if (is(token, Semicolon)) {
      context.frames = [];
      delete context.field;
      if (context.zone === 'let' || context.zone === 'use') this.enter('top');
    } else if (is(token, Equals) && !frame && (context.zone === 'let' || context.zone === 'space-body'))
      context.field = '';
    else return false;
    return true;
  }

  private word(token: IToken, previous: IToken | undefined, next: IToken | undefined): Role {
    const { context } = this;
    const frame = context.frames.at(-1);
    switch (context.zone) {
      case 'top':
      case 'use':
        return 'target';
      case 'let':
        return context.field === undefined && !frame ? 'constant' : this.value(token, next);
      case 'header': {
        if (is(next, Colon)) return 'label';
        const on = token.image === 'on' && is(next, StringToken);
        const layers = token.image === 'layers' && (is(next, NumberToken) || is(next, Minus));
        return on || layers ? 'keyword' : 'target';
      }
      case 'body':
        if (context.field === undefined || (is(next, Colon) && !frame)) {
          context.field = token.image;
          context.given.push(token.image);
          context.frames = [];
          return 'field';
        }
        return this.value(token, next);
      case 'space-head':
        if (!frame) return 'space';
        if (is(previous, Colon)) return 'choice';
        if (
          frame.head !== undefined &&
          context.frames.length === 1 &&
          frame.param === undefined &&
          !is(previous, Equals)
        ) {
          if (is(next, Equals)) frame.param = token.image;
          return 'parameter';
        }
        return this.value(token, next);
      case 'space-body':
        return is(next, LeftParen) ? 'function' : 'variable';
      default:
        return context.zone satisfies never;
    }
  }

  private value(token: IToken, next: IToken | undefined): Role {
    const frame = this.context.frames.at(-1);
    if (!frame || !is(next, Equals)) return 'choice';
    frame.param = token.image;
    frame.given.push(token.image);
    return 'parameter';
  }
}

/** Tokens and comments in the order of the text; and where the text ends. */
export function rolesOf(text: string): { tokens: RoledToken[]; end: Context } {
  const { tokens, comments } = tokenize(new Source('', text));
  const walker = new Walker();
  const roled = tokens.map((token, i): RoledToken => {
    const context = copy(walker.context);
    const role = walker.step(token, tokens[i - 1], tokens[i + 1]);
    return { text: token.image, start: token.startOffset, end: endOf(token), role, context };
  });
  const remarks = comments.map((token): RoledToken => {
    const context: Context = { zone: 'top', given: [], frames: [] };
    return { text: token.image, start: token.startOffset, end: endOf(token), role: 'comment', context };
  });
  return { tokens: [...roled, ...remarks].sort((a, b) => a.start - b.start), end: walker.context };
}
