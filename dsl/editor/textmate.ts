/**
 * Files that colour `.mos` in editors without a language server, made from the tokens and the kinds. A regular
 * expression cannot know what a block is; where a word stands between which signs is as near as it gets, and the
 * colour test holds it to what the language server says.
 */
import { Constant, NumberToken, StringToken, Word } from '../tokens.ts';
import { kindNames } from '../vocabulary/kinds.ts';

interface Rule {
  name?: string;
  match?: string;
  begin?: string;
  end?: string;
  captures?: Record<string, { name: string }>;
  beginCaptures?: Record<string, { name: string }>;
  endCaptures?: Record<string, { name: string }>;
  patterns?: (Rule | { include: string })[];
}

const source = (token: { PATTERN?: unknown }): string =>
  token.PATTERN instanceof RegExp ? token.PATTERN.source : '';
const include = (name: string) => ({ include: `#${name}` });
const captures = (...names: string[]) =>
  Object.fromEntries(names.map((name, i) => [String(i + 1), { name: `${name}.mos` }]));

/** Comments may stand between any two words, so a look ahead skips white space only, and is wrong beside a comment. */
const kinds = `\\b(${kindNames.join('|')})\\b(?=\\s*(?:["<]|[A-Za-z_]))(?!\\s*:)`;
const sign = (text: string, name: string): Rule => ({ match: text, name: `${name}.mos` });

const repository: Record<string, Rule> = {
  comment: {
    patterns: [
      { name: 'comment.line.double-slash.mos', match: '//.*$' },
      { name: 'comment.block.mos', begin: '/\\*', end: '\\*/' },
    ],
  },
  string: {
    patterns: [
      { name: 'string.quoted.double.mos', match: source(StringToken) },
      { name: 'invalid.illegal.string.mos', match: '"[^"]*$' },
    ],
  },
  number: { name: 'constant.numeric.mos', match: `(?<!\\w)${source(NumberToken)}` },
  constant: { name: 'variable.other.constant.mos', match: source(Constant) },
  signs: {
    patterns: [
      sign('\\.\\.', 'keyword.operator.range'),
      sign('[<>]', 'punctuation.section.block'),
      sign('[*=+/^-]', 'keyword.operator'),
      sign('[:;,]', 'punctuation.separator'),
    ],
  },
  plain: { patterns: ['comment', 'string', 'number', 'constant'].map(include) },
  value: {
    patterns: [
      include('plain'),
      { match: '\\b([A-Za-z_]\\w*)\\s*(?==)', captures: captures('variable.parameter') },
      { name: 'support.constant.mos', match: `\\b${source(Word)}` },
      include('signs'),
    ],
  },
  use: { match: '\\b(use)\\b(?=\\s*")', captures: captures('keyword.control') },
  let: {
    begin: '\\b(let)\\s+([A-Za-z_]\\w*)?',
    beginCaptures: captures('keyword.control', 'variable.other.constant'),
    end: `;|(?=^\\s*(?:let|use|space)\\b|^\\s*${kinds})`,
    patterns: [include('value')],
  },
  space: {
    begin: '\\b(space)\\s+([A-Za-z_]\\w*)?',
    beginCaptures: captures('keyword.control', 'entity.name.type'),
    end: '>',
    patterns: [
      {
        begin: '\\(',
        end: '\\)',
        patterns: [
          include('plain'),
          { match: ':\\s*([A-Za-z_]\\w*)', captures: captures('support.constant') },
          { match: '\\b([A-Za-z_]\\w*)\\s*(?=:)', captures: captures('variable.parameter') },
          {
            match: '(?<=\\()\\s*([A-Za-z_]\\w*)|(?<=,)\\s*([A-Za-z_]\\w*)',
            captures: captures('variable.parameter', 'variable.parameter'),
          },
          include('value'),
        ],
      },
      {
        begin: '<',
        end: '(?=>)',
        patterns: [
          include('plain'),
          { match: '\\b([A-Za-z_]\\w*)\\s*(?=\\()', captures: captures('entity.name.function') },
          { name: 'variable.other.mos', match: '\\b[A-Za-z_]\\w*' },
          include('signs'),
        ],
      },
      include('comment'),
    ],
  },
  block: {
    begin: kinds,
    beginCaptures: captures('keyword.control'),
    end: '>',
    patterns: [
      include('body'),
      include('plain'),
      { match: '\\b([A-Za-z_]\\w*)\\s*(?=:)', captures: captures('entity.name.label') },
      {
        match: '\\b(on)\\b(?=\\s*")|\\b(layers)\\b(?=\\s*-?\\d)',
        captures: captures('keyword.other', 'keyword.other'),
      },
      { name: 'entity.name.class.mos', match: `\\b${source(Word)}` },
      include('signs'),
    ],
  },
  body: {
    begin: '<',
    end: '(?=>)',
    patterns: [
      include('plain'),
      { match: `\\b(${source(Word)})\\s*(?=:)`, captures: captures('variable.other.property') },
      include('value'),
    ],
  },
};

/** What TextMate's scopes are in the words of roles.ts; for the test that holds both to one suite. */
export const ROLE_OF_SCOPE: Record<string, string> = {
  comment: 'comment',
  'string.quoted': 'string',
  'constant.numeric': 'number',
  'variable.other.constant': 'constant',
  'variable.parameter': 'parameter',
  'support.constant': 'choice',
  'keyword.control': 'keyword',
  'keyword.other': 'keyword',
  'entity.name.type': 'space',
  'entity.name.function': 'function',
  'variable.other.property': 'field',
  'variable.other': 'variable',
  'entity.name.label': 'label',
  'entity.name.class': 'target',
};

export const textMateGrammar = (): string =>
  `${JSON.stringify(
    {
      $schema: 'https://raw.githubusercontent.com/martinring/tmlanguage/master/tmlanguage.json',
      information_for_contributors: ['Generated from dsl/editor/textmate.ts by `bun run generate:docs`.'],
      name: 'mos',
      scopeName: 'source.mos',
      fileTypes: ['mos'],
      patterns: ['comment', 'use', 'let', 'space', 'block', 'string', 'number', 'constant', 'signs'].map(
        include,
      ),
      repository,
    },
    null,
    2,
  )}\n`;

export const languageConfiguration = (): string =>
  `${JSON.stringify(
    {
      comments: { lineComment: '//', blockComment: ['/*', '*/'] },
      brackets: [
        ['<', '>'],
        ['(', ')'],
        ['[', ']'],
      ],
      autoClosingPairs: [
        { open: '<', close: '>', notIn: ['string', 'comment'] },
        { open: '(', close: ')', notIn: ['string', 'comment'] },
        { open: '[', close: ']', notIn: ['string', 'comment'] },
        { open: '"', close: '"', notIn: ['string', 'comment'] },
        { open: '/*', close: ' */', notIn: ['string'] },
      ],
      surroundingPairs: [
        ['<', '>'],
        ['(', ')'],
        ['[', ']'],
        ['"', '"'],
      ],
      wordPattern: '\\$?[A-Za-z_]\\w*|\\d[\\w.%]*',
      indentationRules: { increaseIndentPattern: '<\\s*(//.*)?$', decreaseIndentPattern: '^\\s*>' },
      folding: { markers: { start: '<\\s*(//.*)?$', end: '^\\s*>' } },
    },
    null,
    2,
  )}\n`;
