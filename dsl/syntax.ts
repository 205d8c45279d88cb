/**
 * Parse tree → syntax tree, and every mistake of form. The grammar accepts slips of punctuation; this is where they
 * are told. Any child may be missing from a recovered node, so nothing here assumes one is there.
 */
import type { CstNode, IToken } from 'chevrotain';
import type {
  ArgumentNode,
  BlockNode,
  FieldNode,
  FileNode,
  LetNode,
  Name,
  SpaceNode,
  Statement,
  Target,
  UseNode,
  ValueNode,
} from './ast.ts';
import { isNode, isToken, lastOf, type Part, parts, startOf } from './cst.ts';
import type { Code } from './diagnostics/catalogue.ts';
import { fix, Report } from './diagnostics/report.ts';
import { parse } from './grammar.ts';
import type { Span } from './program.ts';
import { after, cover, type Source } from './source.ts';
import {
  Colon,
  Comma,
  Constant,
  Equals,
  endOf,
  Greater,
  is,
  LeftParen,
  LeftSquare,
  Less,
  Minus,
  NumberToken,
  Percent,
  RightParen,
  RightSquare,
  Semicolon,
  StringToken,
  True,
  tokenize,
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

export function readSyntax(source: Source): { file: FileNode; report: Report } {
  const { tokens, comments, report, hopeless } = tokenize(source);
  const builder = new Builder(source, report);
  const file: FileNode = {
    statements: [],
    comments: comments.map(token => ({
      text: token.image,
      span: source.span(token.startOffset, endOf(token)),
    })),
  };
  if (hopeless) return { file, report };
  const { tree, failures } = parse(source.text, tokens);
  file.statements = parts(tree)
    .filter(isNode)
    .map(node => builder.statement(node));
  const told = report.list.some(({ code }) => code !== 'bidi-character');
  // The grammar has a place for nearly everything; should the parser still stumble, its first stumble is told.
  const [failure] = failures;
  if (failure && !told) {
    const place =
      Number.isNaN(failure.found.startOffset) || !failure.found.image ? failure.previous : failure.found;
    const span = place?.image ? source.span(place.startOffset, endOf(place)) : source.span(0, 0);
    report.add('unexpected', span, `\`${source.slice(span)}\` does not fit here`, {
      help: 'remove it, or complete what stands before it',
    });
  }
  return { file, report };
}

class Builder {
  private readonly source: Source;
  private report: Report;

  constructor(source: Source, report: Report) {
    this.source = source;
    this.report = report;
  }

  private span(part: Part): Span {
    return this.source.span(startOf(part), lastOf(part));
  }

  private name(token: IToken): Name {
    return { text: token.image, span: this.span(token) };
  }

  /** Run with a report of its own; pass on what is harmless and at most one damage. */
  private guarded<T>(build: () => T): { result: T; damaged: boolean } {
    const outer = this.report;
    this.report = new Report();
    const result = build();
    const damage = DAMAGE.flatMap(code => this.report.list.filter(told => told.code === code));
    outer.list.push(...this.report.list.filter(told => told === damage[0] || !damage.includes(told)));
    this.report = outer;
    return { result, damaged: damage.length > 0 };
  }

  statement(node: CstNode): Statement {
    switch (node.name) {
      case 'use':
        return this.use(node);
      case 'constant':
        return this.constant(node);
      case 'space':
        return this.space(node);
      case 'block':
        return this.block(node);
      case 'orphan': {
        const span = this.span(node);
        const [first] = parts(node).filter(isNode);
        const name = first && parts(first).find(isToken);
        this.report.add(
          'field-outside-block',
          name ? this.span(name) : span,
          `\`${name?.image ?? ';'}\` stands outside a block`,
          {
            help: 'move it inside the `< >` of a block; a `>` before it may have come too early',
          },
        );
        return { kind: 'stray', span };
      }
      default: {
        const span = this.span(node);
        // A `;` after a block's `>` is a habit of other languages, and it separates nothing here.
        const all = this.source.slice(span);
        this.unexpected(span, /^[;\s]*$/.test(all) ? 'remove it: blocks are not separated' : undefined);
        return { kind: 'stray', span };
      }
    }
  }

  private unexpected(span: Span, help = 'remove it'): void {
    const text = this.source.slice(span);
    const shown = text.length > 24 ? `${text.slice(0, 23)}…` : text;
    this.report.add('unexpected', span, `\`${shown.replace(/\s+/g, ' ')}\` does not fit here`, { help });
  }

  private strayComma(token: IToken): void {
    const span = this.span(token);
    this.report.add('stray-comma', span, 'this comma separates nothing', {
      help: 'remove it',
      ...fix('remove it', span, '', 'safe'),
    });
  }

  private use(node: CstNode): UseNode {
    const token = parts(node).find(part => isToken(part) && is(part, StringToken));
    const span = this.span(node);
    if (!isToken(token)) {
      this.report.add('expected', after(this.keyword(node)), '`use` names no file', {
        help: 'write `use "file.mos"`',
      });
      return { kind: 'use', span };
    }
    return { kind: 'use', path: this.text(token), span };
  }

  private keyword(node: CstNode): Span {
    const first = parts(node)[0];
    return first ? this.span(first) : this.source.span(0, 0);
  }

  private constant(node: CstNode): LetNode {
    const { result } = this.guarded((): LetNode => {
      const all = parts(node);
      const span = this.span(node);
      const named = all.slice(1).find(part => isToken(part) && (is(part, Word) || is(part, Constant)));
      const sign = all.find(part => isToken(part) && (is(part, Equals) || is(part, Colon)));
      const value = all.find(isNode);
      if (!isToken(named)) {
        this.report.add('expected', after(this.keyword(node)), '`let` has no name', {
          help: 'write `let name = value`',
        });
        return { kind: 'let', span };
      }
      const name = { text: named.image.replace(/^\$/, ''), span: this.span(named) };
      if (is(named, Constant)) {
        this.report.add('bad-name', name.span, 'a constant is declared without `$`', {
          help: `write \`${name.text}\``,
          ...fix('remove the `$`', name.span, name.text, 'safe'),
        });
      }
      if (isToken(sign) && is(sign, Colon)) this.wrongSign('colon-for-equals', sign, '=');
      if (!value) {
        this.report.add('missing-value', after(name.span), `constant \`${name.text}\` has no value`, {
          help: `write \`let ${name.text} = value\``,
        });
        return { kind: 'let', name, span };
      }
      return { kind: 'let', name, value: this.value(value), span };
    });
    return result;
  }

  private wrongSign(code: 'colon-for-equals' | 'equals-for-colon', sign: IToken, text: string): void {
    const span = this.span(sign);
    const message = code === 'colon-for-equals' ? 'parameters are bound by `=`' : 'fields are bound by `:`';
    this.report.add(code, span, message, {
      help: `replace it with \`${text}\``,
      ...fix(`write \`${text}\``, span, text, 'safe'),
    });
  }

  private space(node: CstNode): SpaceNode {
    const named = parts(node).slice(1).find(isNode) ?? parts(node)[1];
    const token = isToken(named) && is(named, Word) ? named : undefined;
    return {
      kind: 'space',
      ...(token && { name: this.name(token) }),
      keyword: this.keyword(node),
      span: this.span(node),
    };
  }

  private block(node: CstNode): BlockNode {
    const all = parts(node);
    const keywordToken = all.find(isToken);
    const keyword = keywordToken ? this.name(keywordToken) : { text: '', span: this.span(node) };
    const body = all.find(part => isNode(part) && part.name === 'body');
    const labelToken = node.children.label?.[0];
    const block: BlockNode = {
      kind: 'block',
      keyword,
      targets: [],
      fields: [],
      header: keyword.span,
      damaged: false,
      span: this.span(node),
      ...(isToken(labelToken) && { label: this.name(labelToken) }),
    };
    if (block.label) block.header = cover(keyword.span, block.label.span);
    const { damaged } = this.guarded(() =>
      this.header(all.filter(part => isNode(part) && part.name === 'headerPart') as CstNode[], block),
    );
    block.damaged = damaged;
    if (!isNode(body)) {
      if (damaged) return block;
      const end = after(block.header);
      this.report.add('missing-body', end, `this \`${keyword.text}\` has no body`, {
        help: 'write `< >` after it',
        ...fix('add an empty body', end, ' < >', 'safe'),
      });
      block.damaged = true;
      return block;
    }
    this.body(body, block);
    return block;
  }

  private header(nodes: CstNode[], block: BlockNode): void {
    /** A target no comma has followed yet; a comma no target has followed yet. */
    let open = false;
    let comma: IToken | undefined;
    const add = (target: Target) => {
      if (open) {
        const place = after(block.targets.at(-1)?.span ?? block.header);
        this.report.add('missing-comma', place, 'targets are separated by commas', {
          help: 'write a comma here',
          ...fix('add a comma', place, ',', 'safe'),
        });
      }
      block.targets.push(target);
      open = true;
      comma = undefined;
    };
    for (const node of nodes) {
      const part = parts(node)[0];
      if (!part) continue;
      const span = this.span(node);
      block.header = cover(block.header, span);
      if (isNode(part)) {
        if (part.name === 'path') {
          add({ kind: 'word', ...this.path(part) });
          continue;
        }
        if (comma) this.strayComma(comma);
        comma = undefined;
        open = false;
        const twice = part.name === 'on' ? block.on : block.layers;
        if (twice) this.unexpected(span, `remove it: \`${part.name}\` is given once`);
        else if (part.name === 'on') {
          const paths = parts(part).filter(token => isToken(token) && is(token, StringToken)) as IToken[];
          block.on = { span, paths: paths.map(token => this.text(token)) };
        } else {
          const ranges = parts(part)
            .filter(isNode)
            .map(range => ({ range: this.range(range), span: this.span(range) }));
          block.layers = {
            span,
            ranges: ranges.flatMap(({ range, span: at }) => (range ? [{ ...range, span: at }] : [])),
          };
        }
      } else if (node.children.stray) {
        this.unexpected(span);
      } else if (is(part, StringToken)) {
        add({ kind: 'string', ...this.text(part) });
      } else if (is(part, Comma)) {
        if (open) comma = part;
        else this.strayComma(part);
        open = false;
      }
    }
    if (comma) this.strayComma(comma);
  }

  private body(node: CstNode, block: BlockNode): void {
    const all = parts(node);
    const open = all.find(part => isToken(part) && is(part, Less));
    const close = all.find(part => isToken(part) && is(part, Greater));
    if (!open) {
      const place = after(block.header);
      this.report.add('missing-open', place, `the body of this \`${block.keyword.text}\` does not start`, {
        help: 'write `<` here',
        ...fix('add `<`', place, ' <', 'safe'),
      });
    }
    let field: FieldNode | undefined;
    let separated = true;
    for (const part of all) {
      if (isNode(part) && part.name === 'field') {
        if (field && !separated && !field.damaged) {
          const place = after(
            this.source.span(Math.max(field.span.start, field.span.end - 1), field.span.end),
          );
          this.report.add('missing-semicolon', place, 'fields are separated by `;`', {
            help: 'write `;` here',
            ...fix('add `;`', place, ';', 'safe'),
          });
        }
        field = this.field(part);
        block.fields.push(field);
        separated = false;
      } else if (isNode(part)) {
        if (!field?.damaged || separated) this.unexpected(this.span(part));
        block.damaged = true;
        separated = true;
      } else if (is(part, Semicolon)) separated = true;
    }
    if (!close) {
      const start = open ? this.span(open) : block.header;
      this.report.add('unclosed-body', start, `the body of this \`${block.keyword.text}\` does not end`, {
        help: `write \`>\` after its last field, at the end of line ${this.source.position(Math.max(0, block.span.end - 1)).line}`,
      });
    }
  }

  private field(node: CstNode): FieldNode {
    const all = parts(node);
    const first = all.find(isToken);
    const span = this.span(node);
    const name = first ? this.name(first) : { text: '', span };
    const { result, damaged } = this.guarded(() => {
      const sign = all[1];
      const signed = isToken(sign) && (is(sign, Colon) || is(sign, Equals));
      const rest = all.slice(signed ? 2 : 1);
      if (signed && is(sign, Equals)) this.wrongSign('equals-for-colon', sign, ':');
      if (!signed && rest.length > 0) {
        const place = after(name.span);
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
  private series(all: Part[], stray: Part[]): ValueNode[] {
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
          const place = after(this.source.span(last.span.end - 1, last.span.end));
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

  private value(node: CstNode): ValueNode {
    const all = parts(node);
    const first = all[0];
    const span = this.span(node);
    const factor = all.find(part => isNode(part) && part.name === 'quantity');
    const value = first ? this.atom(first) : ({ kind: 'broken', span } as const);
    if (!isNode(factor)) return value;
    const times = this.quantity(factor);
    return times
      ? {
          ...value,
          times: { count: times.dimension === 'none' ? times.value : Number.NaN, span: this.span(factor) },
        }
      : { kind: 'broken', span };
  }

  private atom(part: Part): ValueNode {
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

  private closed(node: CstNode, open: typeof LeftParen, close: typeof LeftParen, text: string): void {
    const tokens = parts(node).filter(isToken);
    const opening = tokens.find(token => is(token, open));
    if (!opening || tokens.some(token => is(token, close))) return;
    this.report.add('unclosed-bracket', this.span(opening), `this \`${opening.image}\` is not closed`, {
      help: `write \`${text}\` where it ends`,
    });
  }

  private call(node: CstNode): ValueNode {
    const all = parts(node);
    const span = this.span(node);
    const head = all.find(part => isNode(part) && part.name === 'path');
    const word = isNode(head) ? this.path(head) : { text: '', span };
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
    return {
      kind: 'call',
      word,
      parenthesised: all.some(part => isToken(part) && is(part, LeftParen)),
      args,
      span,
    };
  }

  private argument(node: CstNode): ArgumentNode | undefined {
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

  private path(node: CstNode): Name {
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

  private range(node: CstNode): { first: Quantity; last: Quantity } | undefined {
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

  private quantity(node: CstNode): Quantity | undefined {
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
  private text(token: IToken): Name {
    const span = this.span(token);
    const closed = /^(["']).*\1$/.test(token.image) && token.image.length > 1;
    const inner = token.image.slice(1, closed ? -1 : undefined);
    if (token.image.startsWith("'")) return { text: inner, span };
    const bad = /\\(?!["\\])./.exec(inner.replaceAll('\\\\', '  '));
    if (bad) {
      const at = this.source.span(span.start + 1 + bad.index, span.start + 3 + bad.index);
      this.report.add('bad-escape', at, `\`${bad[0]}\` is not an escape`, {
        help: 'write `/` between folders, or `\\\\` for a backslash',
      });
    }
    return { text: inner.replace(/\\(["\\])/g, '$1'), span };
  }
}
