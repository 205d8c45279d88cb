/** Values of the tree in words, for messages: "takes …, not …". */
import type { ValueNode } from './ast.ts';

/** Help for a choice written as a string. */
export function unquoted(value: ValueNode, words: string[]): string | undefined {
  if (value.kind === 'string' && words.includes(value.text)) return 'write it without quotes';
  return undefined;
}

/** What a value is, for "takes …, not …". */
export function describe(value: ValueNode): string {
  switch (value.kind) {
    case 'number':
      return 'a number';
    case 'range':
      return 'a range';
    case 'string':
      return 'a string';
    case 'flag':
      return `\`${value.value}\``;
    case 'list':
      return 'a list';
    case 'call':
      return `\`${value.word.text}\``;
    case 'constant':
    case 'broken':
      return 'this';
    default:
      return value satisfies never;
  }
}
