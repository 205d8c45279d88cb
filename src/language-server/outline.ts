/** Document symbols: statements, and the fields of blocks. */
import { type DocumentSymbol, SymbolKind } from 'vscode-languageserver';
import type { Statement } from '../../dsl/ast.ts';
import type { Analysis } from './analysis.ts';
import { rangeOf } from './places.ts';

export function outline({ tree, source }: Analysis): DocumentSymbol[] {
  const symbol = (
    name: string,
    kind: SymbolKind,
    whole: Statement['span'],
    selected: Statement['span'],
    extra: Partial<DocumentSymbol> = {},
  ) => ({
    name: name || '?',
    kind,
    range: rangeOf(source, whole),
    selectionRange: rangeOf(source, selected),
    ...extra,
  });
  return tree.statements.flatMap((statement): DocumentSymbol[] => {
    const { span } = statement;
    switch (statement.kind) {
      case 'use':
        return [symbol(statement.path?.text ?? '', SymbolKind.File, span, statement.path?.span ?? span)];
      case 'let':
        return [symbol(statement.name?.text ?? '', SymbolKind.Constant, span, statement.name?.span ?? span)];
      case 'space':
        return [symbol(statement.name?.text ?? '', SymbolKind.Function, span, statement.name?.span ?? span)];
      case 'block': {
        const { keyword, label, targets, fields } = statement;
        const detail = [...(label ? [`${label.text}:`] : []), targets.map(({ text }) => text).join(', ')]
          .join(' ')
          .trim();
        const children = fields.map(field =>
          symbol(field.name.text, SymbolKind.Field, field.span, field.name.span),
        );
        return [
          symbol(keyword.text, SymbolKind.Class, span, keyword.span, { children, ...(detail && { detail }) }),
        ];
      }
      case 'stray':
        return [];
      default:
        return statement satisfies never;
    }
  });
}
