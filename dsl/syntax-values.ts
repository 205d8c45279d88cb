/**
 * Parse tree → syntax tree, the inner half: fields and the values in them. What syntax.ts builds on; see there.
 */
import type { CstNode, IToken } from 'chevrotain';
import type { ArgumentNode, FieldNode, Name, ValueNode } from './ast.ts';
import { isNode, isToken, lastOf, type Part, parts, startOf } from './cst.ts';
import type { Code } from './diagnostics/catalogue.ts';
import { fix, Report } from './diagnostics/report.ts';
import type { Span } from './program.ts';
import { cover, type Source } from './source.ts';
import {
  Colon,
  Comma,
  Constant,
  Equals,
  is,
  LeftParen,
  LeftSquare,
  Minus,
  NumberToken,
  Percent,
  RightParen,
  RightSquare,
  StringToken,
  True,
  Word,
} from './tokens.ts';
import { type Quantity, readNumber } from './units.ts';

/** After one of these the rest of a field is guesswork: one is told, the most telling, and the field is not checked. */
const DAMAGE: Code[] = [
  'unclosed-bracket',
  'unexpected',
  'hyphen-spacing',
  'missing-value',
  'missing-colon',
  'missing-comma',
  'expected',
];

export class ValueBuilder {
  protected readonly source: Source;
  protected report: Report;

  constructor(source: Source, report: Report) {
    this.source = source;
    this.report = report;
  }

  protected after(span: Span): Span {
    return this.source.span(span.end, span.end);
  }

  protected span(part: Part): Span {
    return this.source.span(startOf(part), lastOf(part));
  }

  protected name(token: IToken): Name {
    return { text: token.image, span: this.span(token) };
  }

  protected unexpected(span: Span, help = 'remove it'): void {
    const text = this.source.slice(span);
    const shown = text.length > 24 ? `${text.slice(0, 23)}…` : text;
    this.report.add('unexpected', span, `\`${shown.replace(/\s+/g, ' ')}\` does not fit here`, { help });
  }

  protected strayComma(token: IToken): void {
    const span = this.span(token);
    this.report.add('stray-comma', span, 'this comma separates nothing', {
      help: 'remove it',
      ...fix('remove it', span, '', 'safe'),
    });
  }

  protected wrongSign(code: 'colon-for-equals' | 'equals-for-colon', sign: IToken, text: string): void {
    const span = this.span(sign);
    const message = code === 'colon-for-equals' ? 'parameters are bound by `=`' : 'fields are bound by `:`';
    this.report.add(code, span, message, {
      help: `replace it with \`${text}\``,
      ...fix(`write \`${text}\``, span, text, 'safe'),
    });
  }

  /** Run with a report of its own; pass on (if at all) what is harmless and at most one damage. */
  protected guarded<T>(telling: boolean, build: () => T): { result: T; damaged: boolean } {
    const outer = this.report;
    this.report = new Report();
    const result = build();
    const damage = DAMAGE.flatMap(code => this.report.list.filter(told => told.code === code));
    if (telling)
      outer.list.push(...this.report.list.filter(told => told === damage[0] || !damage.includes(told)));
    this.report = outer;
    return { result, damaged: damage.length > 0 };
  }

  protected field(node: CstNode): FieldNode {
    const all = parts(node);
    const first = all.find(isToken);
    const span = this.span(node);
    const name = first ? this.name(first) : { text: '', span };
    const { result, damaged } = this.guarded(true, () => {
      const sign = all[1];
      const signed = isToken(sign) && (is(sign, Colon) || is(sign, Equals));
      const rest = all.slice(signed ? 2 : 1);
      if (signed && is(sign, Equals)) this.wrongSign('equals-for-colon', sign, ':');
      if (!signed && rest.length > 0) {
        const place = this.after(name.span);
        this.report.add('missing-colon', place, `a colon is missing after \`${name.text}\``, {
          help: 'write `:` here',
          ...fix('add `:`', place, ':', 'unsafe'),
        });
      }
      const values = this.series(rest, node.children.stray ?? []);
      if (values.length === 0 && !node.children.stray) {
        this.report.add('missing-value', name.span, `\`${name.text}\` has no value`, {
          help: signed ? 'write its value after the colon' : `write \`${name.text}: value\``,
        });
      }
      return values;
    });
    return { name, values: result, damaged, span };
  }

  /** Values with commas between them; what is wrong with the commas. */
  protected series(all: Part[], stray: Part[]): ValueNode[] {
    const values: ValueNode[] = [];
    let comma: IToken | undefined;
    for (const part of all) {
      if (stray.includes(part)) this.unexpected(this.span(part));
      else if (isToken(part)) {
        if (is(part, Comma)) {
          if (comma || values.length === 0) this.strayComma(part);
          comma = part;
        }
      } else {
        const last = values.at(-1);
        if (last && !comma) {
          const place = this.after(this.source.span(last.span.end - 1, last.span.end));
          this.report.add('missing-comma', place, 'values are separated by commas', {
            help: 'write a comma here',
            ...fix('add a comma', place, ',', 'unsafe'),
          });
        }
        values.push(this.value(part));
        comma = undefined;
      }
    }
    if (comma && values.length > 0) this.strayComma(comma);
    return values;
  }

  protected value(node: CstNode): ValueNode {
    const all = parts(node);
    const first = all[0];
    const span = this.span(node);
    const factor = all.find(part => isNode(part) && part.name === 'quantity');
    const value = first ? this.atom(first) : ({ kind: 'broken', span } as const);
    const brackets = all.find(part => isNode(part) && part.name === 'parenthesis');
    const open = isNode(brackets) && parts(brackets)[0];
    if (open) {
      this.unexpected(this.span(open), 'remove it: only words have parameters');
      return { kind: 'broken', span };
    }
    if (!isNode(factor)) return value;
    const times = this.quantity(factor);
    return times
      ? {
          ...value,
          times: { count: times.dimension === 'none' ? times.value : Number.NaN, span: this.span(factor) },
        }
      : { kind: 'broken', span };
  }

  protected atom(part: Part): ValueNode {
    const span = this.span(part);
    if (isToken(part)) {
      if (is(part, StringToken)) return { kind: 'string', ...this.text(part) };
      if (is(part, Constant)) return { kind: 'constant', name: part.image.slice(1), span };
      return { kind: 'flag', value: is(part, True), span };
    }
    if (part.name === 'range') {
      const range = this.range(part);
      if (!range) return { kind: 'broken', span };
      return parts(part).length > 1
        ? { kind: 'range', ...range, span }
        : { kind: 'number', quantity: range.first, span };
    }
    if (part.name === 'list') {
      this.closed(part, LeftSquare, RightSquare, ']');
      const inside = parts(part).filter(child => isNode(child) || is(child, Comma));
      return { kind: 'list', items: this.series(inside, []), span };
    }
    return this.call(part);
  }

  protected closed(node: CstNode, open: typeof LeftParen, close: typeof LeftParen, text: string): void {
    const tokens = parts(node).filter(isToken);
    const opening = tokens.find(token => is(token, open));
    if (!opening || tokens.some(token => is(token, close))) return;
    this.report.add('unclosed-bracket', this.span(opening), `this \`${opening.image}\` is not closed`, {
      help: `write \`${text}\` where it ends`,
    });
  }

  protected call(node: CstNode): ValueNode {
    const all = parts(node);
    const span = this.span(node);
    const head = all.find(part => isNode(part) && part.name === 'path');
    const word = isNode(head) ? this.path(head) : { text: '', span };
    const brackets = all.find(part => isNode(part) && part.name === 'parenthesis');
    const args = isNode(brackets) ? this.parenthesis(brackets) : [];
    return { kind: 'call', word, parenthesised: brackets !== undefined, args, span };
  }

  protected parenthesis(node: CstNode): ArgumentNode[] {
    const all = parts(node);
    this.closed(node, LeftParen, RightParen, ')');
    const args: ArgumentNode[] = [];
    let comma = true;
    for (const part of all) {
      if (isToken(part)) {
        if (node.children.stray?.includes(part)) this.unexpected(this.span(part));
        else if (is(part, Comma)) {
          if (comma) this.strayComma(part);
          comma = true;
        } else if (is(part, RightParen) && comma && args.length > 0) {
          const last = all.filter(token => isToken(token) && is(token, Comma)).at(-1);
          if (isToken(last)) this.strayComma(last);
        }
      } else if (part.name === 'argument') {
        const last = args.at(-1);
        if (!comma && last) {
          const place = this.source.span(last.span.end, last.span.end);
          this.report.add('missing-comma', place, 'parameters are separated by commas', {
            help: 'write a comma here',
            ...fix('add a comma', place, ',', 'unsafe'),
          });
        }
        const argument = this.argument(part);
        if (argument) args.push(argument);
        comma = false;
      }
    }
    return args;
  }

  protected argument(node: CstNode): ArgumentNode | undefined {
    const all = parts(node);
    const span = this.span(node);
    const value = all.find(isNode);
    const token = all.find(part => isToken(part) && is(part, Word));
    const sign = all.find(part => isToken(part) && is(part, Colon));
    if (isToken(sign)) this.wrongSign('colon-for-equals', sign, '=');
    const name = isToken(token) ? this.name(token) : undefined;
    if (!value) {
      this.report.add('missing-value', span, `\`${name?.text ?? ''}\` has no value`, {
        help: 'write its value after `=`',
      });
      return undefined;
    }
    return { ...(name && { name }), value: this.value(value), span };
  }

  protected path(node: CstNode): Name {
    const span = this.span(node);
    const text = this.source.slice(span);
    const joined = parts(node)
      .filter(isToken)
      .map(token => token.image)
      .join('');
    if (/\s|\/[/*]/.test(text)) {
      this.report.add('hyphen-spacing', span, 'a word with a hyphen is written without spaces', {
        help: `write \`${joined}\`, or put a comma between two words`,
      });
    }
    return { text: joined, span };
  }

  protected range(node: CstNode): { first: Quantity; last: Quantity } | undefined {
    const all = parts(node);
    const [first, last] = all.filter(isNode).map(child => this.quantity(child));
    const dots = all.find(isToken);
    if (dots && all.filter(isNode).length < 2) {
      this.report.add('missing-value', this.span(dots), 'this range has no end', {
        help: 'write the number it runs to',
      });
      return undefined;
    }
    if (!first || (dots && !last)) return undefined;
    return { first, last: last ?? first };
  }

  protected quantity(node: CstNode): Quantity | undefined {
    const tokens = parts(node).filter(isToken);
    const number = tokens.find(token => is(token, NumberToken));
    if (!number) return undefined;
    const unit = tokens.find(token => is(token, Percent) || is(token, Word));
    const span = this.span(number);
    if (unit) {
      const both = cover(span, this.span(unit));
      const text = number.image + unit.image;
      this.report.add('unit-spacing', both, 'a unit follows its number directly', {
        help: `write \`${text}\``,
        ...fix('remove the space', both, text, 'safe'),
      });
    }
    const read = readNumber(number.image + (unit?.image ?? ''));
    if ('code' in read) {
      if (unit) return undefined;
      const { code, message, help, meant } = read;
      this.report.add(code, span, message, {
        ...(help && { help }),
        ...(meant && fix(`write \`${meant}\``, span, meant, 'safe')),
      });
      return undefined;
    }
    return tokens.some(token => is(token, Minus)) ? { ...read, value: -read.value } : read;
  }

  /** A string token's text: two escapes, and nothing else. */
  protected text(token: IToken): Name {
    const span = this.span(token);
    // Not `.`: a string may hold the line separators that only JavaScript knows.
    const closed = /^(["'])[\s\S]*\1$/.test(token.image) && token.image.length > 1;
    const inner = token.image.slice(1, closed ? -1 : undefined);
    if (token.image.startsWith("'")) return { text: inner, span };
    const bad = /\\(?!["\\])[\s\S]/.exec(inner.replaceAll('\\\\', '  '));
    if (bad) {
      const at = this.source.span(span.start + 1 + bad.index, span.start + 3 + bad.index);
      this.report.add('bad-escape', at, `\`${bad[0]}\` is not an escape`, {
        help: 'write `/` between folders, or `\\\\` for a backslash',
      });
    }
    return { text: inner.replace(/\\(["\\])/g, '$1'), span };
  }
}
