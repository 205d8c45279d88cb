/**
 * Parse tree → syntax tree, and every mistake of form. The grammar accepts slips of punctuation; this is where they
 * are told. Any child may be missing from a recovered node, so nothing here assumes one is there.
 */
import type { CstNode, IToken } from 'chevrotain';
import type { BlockNode, FieldNode, FileNode, LetNode, Statement, Target, UseNode } from './ast.ts';
import { isNode, isToken, parts } from './cst.ts';
import { fix, type Report } from './diagnostics/report.ts';
import { parse } from './grammar.ts';
import { cover, type Source } from './source.ts';
import { SpaceBuilder } from './syntax-space.ts';
import {
  Colon,
  Comma,
  Constant,
  Equals,
  endOf,
  Greater,
  is,
  Less,
  Semicolon,
  StringToken,
  tokenize,
  Word,
} from './tokens.ts';
import { isKind } from './vocabulary/kinds.ts';

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

class Builder extends SpaceBuilder {
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

  private use(node: CstNode): UseNode {
    const token = parts(node).find(part => isToken(part) && is(part, StringToken));
    const span = this.span(node);
    if (!isToken(token)) {
      this.report.add('expected', this.after(this.keyword(node)), '`use` names no file', {
        help: 'write `use "file.mos"`',
      });
      return { kind: 'use', span };
    }
    return { kind: 'use', path: this.text(token), span };
  }

  private constant(node: CstNode): LetNode {
    const { result } = this.guarded(true, (): LetNode => {
      const all = parts(node);
      const span = this.span(node);
      const named = all.slice(1).find(part => isToken(part) && (is(part, Word) || is(part, Constant)));
      const sign = all.find(part => isToken(part) && (is(part, Equals) || is(part, Colon)));
      const value = all.find(part => isNode(part) && part.name === 'value');
      const junk = all.find(part => isNode(part) && part.name === 'junk');
      const reserved = node.children.reserved?.[0];
      if (isToken(reserved)) {
        this.report.add('bad-name', this.span(reserved), `\`${reserved.image}\` is a reserved word`, {
          help: 'give the constant another name',
        });
        return { kind: 'let', span };
      }
      if (!isToken(named)) {
        this.report.add('expected', this.after(this.keyword(node)), '`let` has no name', {
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
      if (junk) {
        this.unexpected(this.span(junk), sign ? 'remove it' : `write \`=\` after \`${name.text}\``);
        return { kind: 'let', name, span };
      }
      if (!isNode(value)) {
        this.report.add('missing-value', this.after(name.span), `constant \`${name.text}\` has no value`, {
          help: `write \`let ${name.text} = value\``,
        });
        return { kind: 'let', name, span };
      }
      return { kind: 'let', name, value: this.value(value), span };
    });
    return result;
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
    const { damaged } = this.guarded(isKind(keyword.text), () =>
      this.header(
        all.filter(isNode).filter(({ name }) => name === 'headerPart'),
        block,
      ),
    );
    block.damaged = damaged;
    // Not knowing the kind, nothing is known of what belongs in its header; without a `<` it may be no block at all.
    const known = isKind(keyword.text);
    if (!isNode(body)) {
      if (damaged || !known) return block;
      const end = this.after(block.header);
      this.report.add('missing-body', end, `this \`${keyword.text}\` has no body`, {
        help: 'write `< >` after it',
        ...fix('add an empty body', end, ' < >', 'safe'),
      });
      block.damaged = true;
      return block;
    }
    if (known || isToken(parts(body)[0])) this.body(body, block);
    return block;
  }

  private header(nodes: CstNode[], block: BlockNode): void {
    /** A target no comma has followed yet; a comma no target has followed yet. */
    let open = false;
    let comma: IToken | undefined;
    const add = (target: Target) => {
      if (open) {
        const place = this.after(block.targets.at(-1)?.span ?? block.header);
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
    if (!open && !block.damaged) {
      const place = this.after(block.header);
      this.report.add('missing-open', place, `the body of this \`${block.keyword.text}\` does not start`, {
        help: 'write `<` here',
        ...fix('add `<`', place, ' <', 'safe'),
      });
    }
    let field: FieldNode | undefined;
    let separated = true;
    let strayAtEnd = false;
    for (const part of all) {
      if (isNode(part) && part.name === 'field') {
        strayAtEnd = false;
        if (field && !separated && !field.damaged) {
          const place = this.after(
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
        // Only its first word is shown: what follows was skipped, and may be well.
        const first = parts(part)[0];
        if (first && (!field?.damaged || separated)) this.unexpected(this.span(first));
        block.damaged = true;
        separated = true;
        field = undefined;
        strayAtEnd = true;
      } else if (is(part, Semicolon)) separated = true;
    }
    // A stray sign at the very end stands where the `>` should.
    if (!close && !strayAtEnd && !field?.damaged) {
      const start = open ? this.span(open) : block.header;
      this.report.add('unclosed-body', start, `the body of this \`${block.keyword.text}\` does not end`, {
        help: `write \`>\` after its last field, at the end of line ${this.source.position(Math.max(0, block.span.end - 1)).line}`,
      });
    }
  }
}
