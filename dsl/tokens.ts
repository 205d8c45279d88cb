/**
 * The words of the language. One token per word, with three habits worth knowing:
 * - a dotted path (`model.layers.0.q_proj`) is a single `Word`, so no rule has to ask whether `.5` is half a number;
 * - a number swallows whatever clings to it (`4.`, `4_`, `512MiB`), and units.ts says what is wrong with it;
 * - broken tokens (an unclosed string, single quotes, braces) are tokens too, so that one slip costs one diagnostic.
 * Block kinds are no tokens at all: they are words, looked up by the grammar where a block can start.
 */
import { createToken, type IToken, Lexer, type TokenType, tokenMatcher } from 'chevrotain';
import { Report } from './diagnostics/report.ts';
import type { Source } from './source.ts';

export const Word = createToken({ name: 'Word', pattern: /[A-Za-z_]\w*(?:\.\w+)*/, label: 'a word' });

const keyword = (name: string, text: string) =>
  createToken({ name, pattern: new RegExp(text), longer_alt: Word, label: `\`${text}\`` });
export const Use = keyword('Use', 'use');
export const Let = keyword('Let', 'let');
export const Space = keyword('Space', 'space');
export const True = keyword('True', 'true');
export const False = keyword('False', 'false');

/** `$name`: a constant. */
export const Constant = createToken({ name: 'Constant', pattern: /\$[A-Za-z_]\w*/, label: 'a constant' });
export const NumberToken = createToken({
  name: 'Number',
  pattern: /\.?\d(?:[eE][+-]?\d|\w|\.(?!\.)|%)*/,
  label: 'a number',
});
export const StringToken = createToken({
  name: 'String',
  pattern: /"(?:[^"\\\r\n]|\\[^\r\n])*"/,
  label: 'a string',
});
/** Ends at the end of its line; what it swallowed is not parsed again. */
const OpenString = createToken({ name: 'OpenString', pattern: /"(?:[^"\\\r\n]|\\[^\r\n]|\\)*/ });
const SingleQuoted = createToken({ name: 'SingleQuoted', pattern: /'[^'\r\n]*'/ });

const symbol = (name: string, text: string) => createToken({ name, pattern: text, label: `\`${text}\`` });
export const DotDot = symbol('DotDot', '..');
export const Less = symbol('Less', '<');
export const Greater = symbol('Greater', '>');
export const LeftParen = symbol('LeftParen', '(');
export const RightParen = symbol('RightParen', ')');
export const LeftSquare = symbol('LeftSquare', '[');
export const RightSquare = symbol('RightSquare', ']');
const LeftBrace = symbol('LeftBrace', '{');
const RightBrace = symbol('RightBrace', '}');
export const Colon = symbol('Colon', ':');
export const Semicolon = symbol('Semicolon', ';');
export const Comma = symbol('Comma', ',');
export const Equals = symbol('Equals', '=');
export const Star = symbol('Star', '*');
export const Minus = symbol('Minus', '-');
export const Percent = symbol('Percent', '%');
/** Only expressions of `space` will use these three. */
export const Plus = symbol('Plus', '+');
export const Slash = symbol('Slash', '/');
export const Caret = symbol('Caret', '^');

const WhiteSpace = createToken({
  name: 'WhiteSpace',
  pattern: /[\s\uFEFF]+/,
  group: Lexer.SKIPPED,
  line_breaks: true,
});
const LineComment = createToken({ name: 'LineComment', pattern: /\/\/[^\r\n]*/, group: 'comments' });
const BlockComment = createToken({
  name: 'BlockComment',
  pattern: /\/\*[^*]*\*+(?:[^/*][^*]*\*+)*\//,
  group: 'comments',
  line_breaks: true,
});
const OpenComment = createToken({
  name: 'OpenComment',
  pattern: /\/\*[\s\S]*/,
  group: 'comments',
  line_breaks: true,
});

/** Order matters: the first that matches wins. */
export const allTokens: TokenType[] = [
  WhiteSpace,
  LineComment,
  BlockComment,
  OpenComment,
  Use,
  Let,
  Space,
  True,
  False,
  Word,
  Constant,
  NumberToken,
  StringToken,
  OpenString,
  SingleQuoted,
  DotDot,
  Less,
  Greater,
  LeftParen,
  RightParen,
  LeftSquare,
  RightSquare,
  LeftBrace,
  RightBrace,
  Colon,
  Semicolon,
  Comma,
  Equals,
  Star,
  Minus,
  Percent,
  Plus,
  Slash,
  Caret,
];

const lexer = new Lexer(allTokens, { positionTracking: 'onlyOffset', ensureOptimizations: true });

/** How deep brackets may nest; deeper input would exhaust the parser's stack long before it meant anything. */
const MAX_DEPTH = 64;

export interface Lexed {
  tokens: IToken[];
  comments: IToken[];
  report: Report;
  /** Too deep to parse. */
  hopeless: boolean;
}

export const endOf = (token: IToken): number => token.startOffset + token.image.length;
export const is = (token: IToken | undefined, type: TokenType): boolean =>
  !!token && tokenMatcher(token, type);

export function tokenize(source: Source): Lexed {
  const report = new Report();
  const result = lexer.tokenize(source.text);
  const comments = result.groups.comments ?? [];
  for (const error of result.errors) {
    const text = source.text.slice(error.offset, error.offset + error.length);
    const shown = text.length > 12 ? `${text.slice(0, 12)}…` : text;
    report.add(
      'unexpected-character',
      source.span(error.offset, error.offset + error.length),
      `\`${shown}\` cannot stand here`,
      {
        help: text.includes('$') ? 'write the constant’s name right after `$`' : 'remove it',
      },
    );
  }
  const open = comments.find(comment => is(comment, OpenComment));
  if (open) {
    report.add(
      'unterminated-comment',
      source.span(open.startOffset, open.startOffset + 2),
      'this comment never ends',
      {
        help: 'close it with `*/`',
      },
    );
  }
  for (const match of source.text.matchAll(/[\u202A-\u202E\u2066-\u2069\u200E\u200F\u061C]/g)) {
    const code = match[0].charCodeAt(0).toString(16).toUpperCase().padStart(4, '0');
    report.add(
      'bidi-character',
      source.span(match.index, match.index + 1),
      `invisible character U+${code} changes the order text is shown in`,
      {
        help: 'remove it, so that the file means what it shows',
      },
    );
  }
  const tokens = mend(result.tokens, result.errors, source, report);
  return { tokens, comments, report, hopeless: tooDeep(tokens, source, report) };
}

function retype(token: IToken, type: TokenType): IToken {
  return { ...token, tokenType: type, tokenTypeIdx: type.tokenTypeIdx ?? token.tokenTypeIdx };
}

/** Report broken tokens and hand the parser what was probably meant. */
function mend(
  tokens: IToken[],
  errors: { offset: number; length: number }[],
  source: Source,
  report: Report,
): IToken[] {
  const brokenAt = new Map(errors.map(error => [error.offset, error.offset + error.length]));
  const mended: IToken[] = [];
  let openedOn = -1;
  for (const token of tokens) {
    const span = source.span(token.startOffset, endOf(token));
    const previous = mended.at(-1);
    if (is(token, OpenString)) {
      const line = source.position(token.startOffset).line;
      const again = openedOn === line - 1;
      openedOn = line;
      // The closing quote of a string that ran over a line end opens another one here: one slip.
      if (again) {
        mended.push(retype(token, StringToken));
        continue;
      }
      report.add('unterminated-string', span, 'this string has no closing quote', {
        help: 'close it with `"` on the same line',
      });
      mended.push(retype(token, StringToken));
    } else if (is(token, SingleQuoted)) {
      const text = `"${token.image.slice(1, -1).replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`;
      report.add('single-quotes', span, 'strings are written in double quotes', {
        help: `write \`${text}\``,
        fix: { description: 'use double quotes', edits: [{ span, text }], applicability: 'safe' },
      });
      mended.push(retype(token, StringToken));
    } else if (is(token, LeftBrace) || is(token, RightBrace)) {
      const text = is(token, LeftBrace) ? '<' : '>';
      report.add('braces', span, `a body is written in \`< >\`, not in braces`, {
        help: `replace \`${token.image}\` with \`${text}\``,
        fix: { description: `write \`${text}\``, edits: [{ span, text }], applicability: 'safe' },
      });
      mended.push(retype(token, text === '<' ? Less : Greater));
    } else if (
      previous &&
      is(previous, Word) &&
      (is(token, Word) || is(token, NumberToken)) &&
      brokenAt.get(endOf(previous)) === token.startOffset
    ) {
      // `q_pr@oj`: one word with a bad character in it, already reported, not two words.
      mended[mended.length - 1] = {
        ...previous,
        image: source.text.slice(previous.startOffset, endOf(token)),
      };
    } else {
      mended.push(token);
    }
  }
  return mended;
}

function tooDeep(tokens: IToken[], source: Source, report: Report): boolean {
  let depth = 0;
  for (const token of tokens) {
    if (is(token, LeftParen) || is(token, LeftSquare)) depth++;
    else if (is(token, RightParen) || is(token, RightSquare)) depth = Math.max(0, depth - 1);
    else if (is(token, Semicolon)) depth = 0;
    if (depth > MAX_DEPTH) {
      report.add(
        'too-deep',
        source.span(token.startOffset, endOf(token)),
        `brackets are nested more than ${MAX_DEPTH} deep`,
        {
          help: 'flatten the value',
        },
      );
      return true;
    }
  }
  return false;
}
