/** Entries of the vocabulary as Markdown, for hover and for the notes of completion. */
import { type Field, type Fields, KIND, type KindName } from '../../dsl/index.ts';
import type { Head } from '../../dsl/vocabulary/shape.ts';
import { shownDefault, takes } from '../docs/reference.ts';

const fenced = (text: string): string => `\`\`\`mos\n${text}\n\`\`\``;

export const describeKind = (kind: KindName): string => `${KIND[kind].doc}\n\n${fenced(KIND[kind].example)}`;

export function describeField(name: string, field: Field): string {
  const given = shownDefault(field);
  const lines = [`**${name}**: ${field.doc}`, `Takes ${takes(field.shape, field.many)}.`];
  return [...lines, ...(given ? [`Default: ${given}`] : [])].join('\n\n');
}

export function describeHead(name: string, { doc, params }: Head): string {
  const list = describeParams(params);
  return [`**${name}**: ${doc}`, ...(list ? [list] : [])].join('\n\n');
}

export const describeParams = (params: Fields): string =>
  Object.entries(params)
    .map(
      ([key, field]) => `- \`${key}\`: ${field.doc}${field.shown ? ` Default: ${shownDefault(field)}.` : ''}`,
    )
    .join('\n');
