/** What the word at a place means: its entry in the vocabulary, its declaration, and the page of a mistake made there. */
import { declarations } from '../../dsl/editor/declarations.ts';
import { everyHead, expectedAt, fieldIn } from '../../dsl/editor/meaning.ts';
import type { RoledToken } from '../../dsl/editor/roles.ts';
import { entryOf, isKind } from '../../dsl/index.ts';
import { allPages, sentence } from '../docs/pages.ts';
import { type Analysis, tokenAt } from './analysis.ts';
import { describeField, describeHead, describeKind, describeParams } from './describe.ts';
import type { Host } from './host.ts';

export interface Hovered {
  start: number;
  end: number;
  markdown: string;
}

const WORDS: Record<string, string> = {
  let: 'A constant: `let name = value`, used as `$name`.',
  use: 'Takes the constants and spaces of another file, relative to this one.',
  space: 'A space of its own: two radial profiles, `lift` from a tangent vector to a point and `drop` back.',
  on: 'The files it is measured on.',
  layers: 'Decoder layers, counted from 0; a range includes both ends.',
};

export function hover(analysis: Analysis, offset: number, host: Host): Hovered | undefined {
  const token = tokenAt(analysis, offset);
  if (!token || token.role === 'comment') return undefined;
  const parts = [meaning(token, analysis, host), ...mistakes(token, analysis)].filter(
    part => part !== undefined,
  );
  return parts.length > 0
    ? { start: token.start, end: token.end, markdown: parts.join('\n\n---\n\n') }
    : undefined;
}

function meaning(token: RoledToken, analysis: Analysis, host: Host): string | undefined {
  const { text, role, context } = token;
  const { shape, params, any } = expectedAt(context, analysis.heads);
  switch (role) {
    case 'keyword':
      return isKind(text) ? describeKind(text) : WORDS[text];
    case 'field': {
      const field = fieldIn(context.kind, text);
      return field && describeField(text, field);
    }
    case 'parameter':
      return params && Object.hasOwn(params, text) ? describeField(text, params[text]) : undefined;
    case 'constant':
      return declaration('let', text.replace('$', ''), analysis, host);
    case 'space':
      return declaration('space', text, analysis, host);
    case 'target':
      return text === 'all-linear' ? 'Every linear layer of the decoder.' : undefined;
    case 'choice': {
      if (shape?.is === 'word' && Object.hasOwn(shape.words, text))
        return `**${text}**: ${shape.words[text]}`;
      if (shape?.is === 'parameter' && text === 'learn') return learned(analysis, context);
      const table = shape?.is === 'call' ? shape.heads : any ? everyHead() : {};
      if (Object.hasOwn(table, text)) return describeHead(text, table[text]);
      return analysis.heads.has(text) ? declaration('space', text, analysis, host) : undefined;
    }
    default:
      return undefined;
  }
}

function learned({ heads }: Analysis, context: RoledToken['context']): string {
  const inside = { ...context, frames: [...context.frames, { head: 'learn', given: [] }] };
  const { params } = expectedAt(inside, heads);
  return `**learn**: learned, from a start.\n\n${params ? describeParams(params) : ''}`.trim();
}

function declaration(
  kind: 'let' | 'space',
  name: string,
  { path, tree }: Analysis,
  host: Host,
): string | undefined {
  const found = declarations(path, tree, other => host.readFile(other)).find(
    one => one.kind === kind && one.name === name,
  );
  if (!found) return undefined;
  const { file, start, end } = found.whole;
  const text = host.readFile(file)?.slice(start, end);
  const place = file === path ? '' : `\n\nfrom \`${file.replace(/^.*\//, '')}\``;
  return text && `\`\`\`mos\n${text}\n\`\`\`${place}`;
}

function mistakes({ start, end }: RoledToken, { diagnostics, path }: Analysis): string[] {
  const here = diagnostics.filter(
    ({ span }) => span?.file === path && span.start < end && start < Math.max(span.end, span.start + 1),
  );
  return [...new Set(here.map(({ code }) => code))].flatMap(code => {
    const page = entryOf(code) ?? allPages().find(one => one.code === code);
    return page
      ? [`\`${code}\`: ${page.about}${'help' in page && page.help ? ` ${sentence(page.help)}` : ''}`]
      : [];
  });
}
