/**
 * The parts of docs/language.md that are made from the vocabulary. They stand between `<!-- generated: NAME -->` and
 * `<!-- end -->`; what is around them is written by hand.
 */
import { type Field, type Fields, isKind, KIND, type Kind, kindNames, type Shape } from '../../dsl/index.ts';

const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll('\n', ' ');
const code = (text: string): string => (text === '' ? '' : `\`${text}\``);

/** What a field takes, in words. */
export function takes(shape: Shape, many = false): string {
  switch (shape.is) {
    case 'number':
      return shape.says;
    case 'flag':
      return '`true` or `false`';
    case 'word':
      return Object.keys(shape.words).map(code).join(', ');
    case 'parameter':
      return `${shape.number.says}, or \`learn(init, min, max, lr)\``;
    case 'call':
      return `${many ? 'one or more of ' : ''}${Object.keys(shape.heads).map(code).join(', ')}`;
    default:
      return shape satisfies never;
  }
}

/** The default, as code when it can be written in a file. */
export function shownDefault({ required, fallback, shown }: Field): string {
  if (required) return 'none: must be given';
  return fallback === undefined ? shown : code(shown);
}

function table(fields: Fields): string {
  const rows = Object.entries(fields).map(
    ([name, field]) =>
      `| ${code(name)} | ${cell(field.doc)} | ${cell(takes(field.shape, field.many))} | ${cell(shownDefault(field))} |`,
  );
  return ['| field | is | takes | default |', '| --- | --- | --- | --- |', ...rows].join('\n');
}

/** The choices of a field: words with meanings, or heads with parameters. */
function choices(name: string, { shape }: Field): string[] {
  if (shape.is === 'word') {
    const rows = Object.entries(shape.words).map(([word, meaning]) => `| ${code(word)} | ${cell(meaning)} |`);
    return [[`| ${code(name)} | means |`, '| --- | --- |', ...rows].join('\n')];
  }
  if (shape.is !== 'call') return [];
  const rows = Object.entries(shape.heads).flatMap(([head, { doc, params }]) => [
    `| ${code(head)} | ${cell(doc)} | | |`,
    ...Object.entries(params).map(
      ([key, field]) =>
        `| &nbsp;&nbsp;${code(key)} | ${cell(field.doc)} | ${cell(takes(field.shape))} | ${cell(shownDefault(field))} |`,
    ),
  ]);
  return [[`| ${code(name)} | is | takes | default |`, '| --- | --- | --- | --- |', ...rows].join('\n')];
}

function header(kind: Kind, name: string): string {
  const targets = { modules: ' TARGETS', path: ' "PATH"', paths: ' "PATHS"', none: '' }[kind.targets];
  return `${name}${kind.label ? ' [NAME:]' : ''}${targets}${kind.on ? ' on "PATHS"' : ''}${kind.layers ? ' [layers RANGES]' : ''} < FIELDS >`;
}

/** One of the generated parts. Throws for a name there is none of, as only a mistake in the page asks for one. */
export function generatedPart(name: string): string {
  if (name === 'kinds') {
    const rows = kindNames.map(each => `| \`${cell(header(KIND[each], each))}\` | ${cell(KIND[each].doc)} |`);
    return ['| block | is |', '| --- | --- |', ...rows].join('\n');
  }
  const [word = '', kind = ''] = name.split(' ');
  if (word === 'fields' && isKind(kind)) {
    const { fields }: { fields: Fields } = KIND[kind];
    return [table(fields), ...Object.entries(fields).flatMap(([key, field]) => choices(key, field))].join(
      '\n\n',
    );
  }
  throw new Error(`docs/language.md asks for a generated part \`${name}\``);
}

/** The page with its generated parts made anew. */
export const refreshed = (page: string): string =>
  page.replace(
    /(<!-- generated: ([\w ]+) -->\n)[\s\S]*?(<!-- end -->)/g,
    (_, start: string, name: string, end: string) => `${start}\n${generatedPart(name)}\n\n${end}`,
  );
