/**
 * The one way a file is written. A body that fits in 100 columns stands on one line, another has one field per line;
 * there are no options. Every comment stays in the gap between two words in which it was written, and empty lines
 * between statements and between fields stay, one at a time. A file with a mistake of form is refused: what it means
 * is not known well enough to move its words.
 */

import type { Diagnostic } from './diagnostics/diagnostic.ts';
import { settle } from './diagnostics/settle.ts';
import { helpFor } from './diagnostics/suggest.ts';
import { print } from './format/document.ts';
import { word } from './format/gaps.ts';
import { layOut } from './format/layout.ts';
import { cut } from './format/pieces.ts';
import { Source } from './source.ts';
import { readSyntax } from './syntax.ts';
import { tokenize } from './tokens.ts';
import { isKind, kindNames } from './vocabulary/kinds.ts';

const WIDTH = 100;

export interface Formatted {
  /** Absent when the file is refused. */
  text?: string;
  /** Why it is refused; and warnings about the text. */
  diagnostics: Diagnostic[];
}

export function format(file: string, text: string): Formatted {
  const source = new Source(file, text);
  const { file: tree, report } = readSyntax(source);
  for (const statement of tree.statements) {
    if (statement.kind !== 'block' || isKind(statement.keyword.text)) continue;
    const { text: word, span } = statement.keyword;
    report.add('unknown-kind', span, `\`${word}\` is not a kind of block`, {
      help: helpFor(word, kindNames) ?? 'start the block with its kind',
    });
  }
  const diagnostics = settle(report.list, tree, file);
  if (report.failed || tree.statements.some(({ kind }) => kind === 'stray')) return { diagnostics };
  const { tokens, comments } = tokenize(source);
  const { statements, end } = cut(text, tokens, comments, tree);
  const body = statements.map((statement, i) => layOut(statement, i === 0));
  const printed = print([body, word(end, statements.length > 0 ? 'hard' : 'first', true)], WIDTH);
  const trimmed = printed.trim();
  return { text: trimmed === '' ? '' : `${trimmed}\n`, diagnostics };
}
