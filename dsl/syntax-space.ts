/** Parse tree → syntax tree: `space` declarations. What syntax.ts builds on; see there. */
import type { CstNode, IToken } from 'chevrotain';
import type { ProfileNode, SpaceNode, SpaceParamNode } from './ast.ts';
import { isNode, isToken, parts } from './cst.ts';
import { readExpression } from './expression.ts';
import type { Span } from './program.ts';
import { ValueBuilder } from './syntax-values.ts';
import { Colon, Comma, Equals, Greater, is, LeftParen, Less, RightParen, Semicolon, Word } from './tokens.ts';

export abstract class SpaceBuilder extends ValueBuilder {
  protected keyword(node: CstNode): Span {
    const first = parts(node)[0];
    return first ? this.span(first) : this.source.span(0, 0);
  }

  protected space(node: CstNode): SpaceNode {
    const all = parts(node);
    const named = all[1];
    const token = isToken(named) && is(named, Word) ? named : undefined;
    const keyword = this.keyword(node);
    const before = this.report.list.length;
    const space: SpaceNode = {
      kind: 'space',
      keyword,
      params: [],
      profiles: [],
      damaged: false,
      span: this.span(node),
    };
    if (token) space.name = this.name(token);
    else {
      this.report.add('expected', this.after(keyword), '`space` has no name', {
        help: 'write `space name(c: positive) < lift(r) = …; drop(r) = … >`',
      });
    }
    const junk = all.find(part => isNode(part) && part.name === 'spaceJunk');
    if (junk && token) this.unexpected(this.span(junk));
    const declarations = all.find(part => isNode(part) && part.name === 'declarations');
    if (isNode(declarations)) space.params = this.declarations(declarations);
    const open = all.find(part => isToken(part) && is(part, Less));
    const close = all.find(part => isToken(part) && is(part, Greater));
    if (!open && token && !junk) {
      this.report.add('missing-body', this.after(space.span), 'this `space` has no body', {
        help: 'write `< lift(r) = …; drop(r) = … >` after it',
      });
    } else if (isToken(open) && !close) {
      this.report.add('unclosed-body', this.span(open), 'the body of this `space` does not end', {
        help: 'write `>` after its last profile',
      });
    }
    let last: ProfileNode | undefined;
    let separated = true;
    for (const part of all) {
      if (isToken(part) && is(part, Semicolon)) separated = true;
      if (!isNode(part) || part.name !== 'profile') continue;
      if (last && !separated) this.unexpected(this.span(part));
      last = this.profile(part);
      if (last) space.profiles.push(last);
      separated = false;
    }
    space.damaged = this.report.list.slice(before).some(({ severity }) => severity === 'error');
    return space;
  }

  private declarations(node: CstNode): SpaceParamNode[] {
    this.closed(node, LeftParen, RightParen, ')');
    const params: SpaceParamNode[] = [];
    let comma = true;
    for (const part of parts(node)) {
      if (isToken(part)) {
        if (node.children.stray?.includes(part)) this.unexpected(this.span(part));
        else if (is(part, Comma)) {
          if (comma) this.strayComma(part);
          comma = true;
        }
        continue;
      }
      const last = params.at(-1);
      if (!comma && last) {
        const place = this.after(last.span);
        this.report.add('missing-comma', place, 'parameters are separated by commas', {
          help: 'write a comma here',
        });
      }
      const param = this.declaration(part);
      if (param) params.push(param);
      comma = false;
    }
    return params;
  }

  private declaration(node: CstNode): SpaceParamNode | undefined {
    const all = parts(node);
    const span = this.span(node);
    const [first] = all;
    if (!isToken(first)) return undefined;
    const name = this.name(first);
    const domain = node.children.domain?.[0];
    const colon = all.find(part => isToken(part) && is(part, Colon));
    const equals = all.find(part => isToken(part) && is(part, Equals));
    const value = all.find(isNode);
    if (colon && !domain) {
      this.report.add('missing-value', this.span(colon), `\`${name.text}\` has no domain`, {
        help: 'write `positive`, `real` or `unit` after the colon',
      });
    }
    if (equals && !value) {
      this.report.add('missing-value', this.span(equals), `\`${name.text}\` has no value`, {
        help: 'write `learn` or a number after `=`',
      });
    }
    return {
      name,
      ...(isToken(domain) && { domain: this.name(domain) }),
      ...(value && { value: this.value(value) }),
      span,
    };
  }

  /** `lift(r) = expression`, from a flat run of tokens. */
  private profile(node: CstNode): ProfileNode | undefined {
    const tokens = parts(node).filter(isToken);
    const span = this.span(node);
    const wrong = (token: IToken | undefined, message: string): undefined => {
      this.report.add('bad-profile', token ? this.span(token) : span, message, {
        help: 'write `lift(r) = …` or `drop(r) = …`',
      });
    };
    const [name, open, variable, close, equals, ...body] = tokens;
    if (!name || !is(name, Word)) return wrong(name, 'a profile starts with its name');
    if (!is(open, LeftParen) || !is(variable, Word) || !is(close, RightParen)) {
      return wrong(name, `\`${name.image}\` does not say what its radius is called`);
    }
    if (!is(equals, Equals))
      return wrong(close, `\`=\` is missing after \`${name.image}(${variable?.image})\``);
    const expression = readExpression(body, this.span(equals as IToken), this.source, this.report);
    if (!expression) return undefined;
    return { name: this.name(name), variable: this.name(variable as IToken), body: expression, span };
  }
}
