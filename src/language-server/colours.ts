/** Semantic tokens: the role of every word, in the encoding of the protocol. */
import { SemanticTokensBuilder } from 'vscode-languageserver';
import type { Role } from '../../dsl/editor/roles.ts';
import type { Analysis } from './analysis.ts';

/** Standard token types, so that every colour theme has a colour for them. */
const TYPE: Record<Exclude<Role, 'sign'>, string> = {
  keyword: 'keyword',
  label: 'namespace',
  target: 'class',
  field: 'property',
  parameter: 'parameter',
  choice: 'enumMember',
  constant: 'variable',
  space: 'type',
  function: 'function',
  variable: 'variable',
  string: 'string',
  number: 'number',
  comment: 'comment',
};

const types = [...new Set(Object.values(TYPE))];
const modifiers = ['declaration'];
export const LEGEND = { tokenTypes: types, tokenModifiers: modifiers };

export function colours({ tokens, source }: Analysis): { data: number[] } {
  const builder = new SemanticTokensBuilder();
  for (const { role, start, end, text, context } of tokens) {
    if (role === 'sign') continue;
    const declares =
      role === 'space' || (role === 'constant' && context.zone === 'let' && context.field === undefined);
    // A token of the protocol stays on its line.
    let offset = start;
    for (const part of text.split(/(\r\n|\n|\r)/)) {
      const { line, column } = source.position(offset);
      if (part !== '' && !/^[\r\n]/.test(part) && offset < end)
        builder.push(line - 1, column - 1, part.length, types.indexOf(TYPE[role]), declares ? 1 : 0);
      offset += part.length;
    }
  }
  return { data: builder.build().data };
}
