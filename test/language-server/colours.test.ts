/** One suite of colours, run through the TextMate grammar and through the roles that semantic tokens are made of. */
import { describe, expect, test } from 'bun:test';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createOnigScanner, createOnigString, loadWASM } from 'vscode-oniguruma';
import { type IGrammar, INITIAL, parseRawGrammar, Registry } from 'vscode-textmate';
import { rolesOf } from '../../dsl/editor/roles.ts';
import { ROLE_OF_SCOPE } from '../../dsl/editor/textmate.ts';
import { analyse } from '../../src/language-server/analysis.ts';
import { colours, LEGEND } from '../../src/language-server/colours.ts';
import { DiskHost } from '../../src/language-server/host.ts';
import { LINE, TINY } from '../dsl/tiny.ts';

const ROOT = join(import.meta.dir, '../..');

await loadWASM(readFileSync(join(ROOT, 'node_modules/vscode-oniguruma/release/onig.wasm')).buffer);
const registry = new Registry({
  onigLib: Promise.resolve({ createOnigScanner, createOnigString }),
  loadGrammar: async () =>
    parseRawGrammar(readFileSync(join(ROOT, 'dsl/editor/mos.tmLanguage.json'), 'utf8'), 'mos.json'),
});
const grammar = (await registry.loadGrammar('source.mos')) as IGrammar;

type Coloured = [text: string, role: string];

const roleOf = (scopes: string[]): string | undefined => {
  const scope = scopes.at(-1) ?? '';
  const best = Object.keys(ROLE_OF_SCOPE)
    .filter(prefix => scope.startsWith(prefix))
    .sort((a, b) => b.length - a.length)[0];
  return best && ROLE_OF_SCOPE[best];
};

/** Words with a role; signs and white space have none. */
function byTextMate(text: string): Coloured[] {
  let stack = INITIAL;
  const found: Coloured[] = [];
  let joined = false;
  for (const line of text.split('\n')) {
    const { tokens, ruleStack } = grammar.tokenizeLine(line, stack);
    stack = ruleStack;
    for (const { startIndex, endIndex, scopes } of tokens) {
      const role = scopes.some(scope => scope.startsWith('comment')) ? 'comment' : roleOf(scopes);
      const part = line.slice(startIndex, endIndex).trim();
      if (!role || part === '') {
        joined = false;
        continue;
      }
      // A comment comes in pieces: its signs and its text.
      const last = found.at(-1);
      if (role === 'comment' && joined && last) last[0] += line.slice(startIndex, endIndex);
      else found.push([role === 'comment' ? line.slice(startIndex, endIndex) : part, role]);
      joined = role === 'comment';
    }
    joined = false;
  }
  return found.map(([text, role]) => [text.trim(), role]);
}

const byRoles = (text: string): Coloured[] =>
  rolesOf(text).tokens.flatMap(({ text: word, role }): Coloured[] =>
    role === 'sign'
      ? []
      : role === 'comment'
        ? word.split('\n').map(line => [line.trim(), role])
        : [[word, role]],
  );

const SUITE: [text: string, expected: string][] = [
  [
    LINE,
    'adapter=keyword q_proj=target experts=field hyperbolic=choice c=parameter learn=choice sphere=choice euclid=choice router=field top2=choice',
  ],
  ['model "a" < dtype: f32 > // end', 'model=keyword "a"=string dtype=field f32=choice // end=comment'],
  ['let few = sphere(c=0.5) * 2;', 'let=keyword few=constant sphere=choice c=parameter 0.5=number 2=number'],
  ['use "a.mos";', 'use=keyword "a.mos"=string'],
  [
    'adapter math: q_proj, "m*", model.layers.0.x layers 2..5 < >',
    'adapter=keyword math=label q_proj=target "m*"=string model.layers.0.x=target layers=keyword 2=number 5=number',
  ],
  [
    'eval clock: on "c" < max_tokens: 24; limit: 1_000 >',
    'eval=keyword clock=label on=keyword "c"=string max_tokens=field 24=number limit=field 1_000=number',
  ],
  [
    'adapter a < experts: $few * 2, sphere; rslora: true >',
    'adapter=keyword a=target experts=field $few=constant 2=number sphere=choice rslora=field true=choice',
  ],
  [
    'train < lr: 3e-3; schedule: cosine(warmup=5%) >',
    'train=keyword lr=field 3e-3=number schedule=field cosine=choice warmup=parameter 5%=number',
  ],
  [
    'sweep < experts: [[euclid], [sphere]]; adapter.rank: [2, 4] >',
    'sweep=keyword experts=field euclid=choice sphere=choice adapter.rank=field 2=number 4=number',
  ],
  [
    'space horn(c: positive = learn) < lift(r) = log(1 + c*r) / c; drop(r) = r^2 >',
    'space=keyword horn=space c=parameter positive=choice learn=choice lift=function r=variable log=function 1=number c=variable r=variable c=variable drop=function r=variable r=variable 2=number',
  ],
  [
    'let train = sphere; adapter train < experts: $train >',
    'let=keyword train=constant sphere=choice adapter=keyword train=target experts=field $train=constant',
  ],
  [
    'adapter q <\n  // why\n  rank: 8; /* a\n b */\n  alpha: 4\n>',
    'adapter=keyword q=target // why=comment rank=field 8=number /* a=comment b */=comment alpha=field 4=number',
  ],
];

const shown = (found: Coloured[]) => found.map(([text, role]) => `${text}=${role}`).join(' ');

describe('TextMate', () => {
  test.each(SUITE)('%s', (text, expected) => expect(shown(byTextMate(text))).toBe(expected));
});

describe('semantic tokens', () => {
  test.each(SUITE)('%s', (text, expected) => expect(shown(byRoles(text))).toBe(expected));
});

test.each([
  ['the whole experiment', TINY],
  ...[
    ...new Bun.Glob('examples/*.mos').scanSync({ cwd: ROOT }),
    ...new Bun.Glob('dsl/library/*.mos').scanSync({ cwd: ROOT }),
  ].map(path => [path, readFileSync(join(ROOT, path), 'utf8')]),
])('both agree on %s', (_, text) => expect(byTextMate(text)).toEqual(byRoles(text)));

test('the encoding of the protocol: five numbers a token, each relative to the one before, in the text', () => {
  const text = 'let few = sphere;\r\n/* a\r\n b */ adapter q_proj < experts: $few >';
  const { data } = colours(analyse('main.mos', text, new DiskHost()));
  const lines = text.split('\r\n');
  const found: string[] = [];
  let [line, character] = [0, 0];
  for (let i = 0; i < data.length; i += 5) {
    character = data[i] > 0 ? data[i + 1] : character + data[i + 1];
    line += data[i];
    const declares = data[i + 4] === 1 ? '!' : '';
    found.push(
      `${lines[line].slice(character, character + data[i + 2])}=${LEGEND.tokenTypes[data[i + 3]]}${declares}`,
    );
  }
  expect(found.join(' ')).toBe(
    'let=keyword few=variable! sphere=enumMember /* a=comment  b */=comment adapter=keyword q_proj=class experts=property $few=variable',
  );
});
