/** Tokens of the tiny base, conversations, special tokens, and tokenizer files that must be refused. */
import { afterAll, describe, expect, test } from 'bun:test';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { plainFormat, templateFormat } from '../../src/model/chat.ts';
import { openTokenizer } from '../../src/model/open-tokenizer.ts';
import { isSafePattern } from '../../src/model/tokenizer-check.ts';
import { faultOf } from '../fault-of.ts';

const ROOT = join(import.meta.dir, '../..');
const TINY = join(ROOT, 'examples/models/tiny-qwen2');
const TASKS = join(ROOT, 'examples/tasks');
const tiny = openTokenizer(TINY, 886);

const root = mkdtempSync(join(tmpdir(), 'mos-tokenizer-'));
afterAll(() => rmSync(root, { recursive: true }));

/** The tiny tokenizer with files replaced; null removes one. */
let copies = 0;
function variant(files: Record<string, unknown>): string {
  const folder = mkdtempSync(join(root, `${copies++}-`));
  for (const name of readdirSync(TINY)) {
    if (name.endsWith('.json')) writeFileSync(join(folder, name), readFileSync(join(TINY, name)));
  }
  for (const [name, content] of Object.entries(files)) {
    if (content === null) rmSync(join(folder, name));
    else writeFileSync(join(folder, name), typeof content === 'string' ? content : JSON.stringify(content));
  }
  return folder;
}

const parse = (name: string) => JSON.parse(readFileSync(join(TINY, name), 'utf8'));

describe('the tiny base', () => {
  test('every task is tokenised and comes back', () => {
    let texts = 0;
    for (const file of readdirSync(TASKS)) {
      for (const line of readFileSync(join(TASKS, file), 'utf8').trim().split('\n')) {
        for (const text of Object.values(JSON.parse(line) as Record<string, string>)) {
          const ids = tiny.encode(text);
          expect(tiny.decode(ids)).toBe(text);
          expect(ids.every(id => id < 883)).toBe(true);
          texts++;
        }
      }
    }
    expect(texts).toBeGreaterThan(15000);
  });

  test('any text in normal form comes back', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), text => {
        const normal = text.normalize('NFC');
        expect(tiny.decode(tiny.encode(normal))).toBe(normal);
      }),
      { numRuns: 200 },
    );
  });

  test('special tokens', () => {
    expect(tiny.eos).toEqual([885]);
    expect(tiny.pad).toBe(883);
    expect(tiny.encode('a<|im_end|>').at(-1)).toBe(885);
    expect(tiny.decode([...tiny.encode('The'), 885])).toBe('The');
    expect(tiny.decode([885], true)).toBe('<|im_end|>');
    expect(tiny.decode([])).toBe('');
    expect(tiny.encode('')).toEqual([]);
  });

  test('a conversation is rendered by its template', () => {
    expect(tiny.chat.source).toBe('model');
    expect(tiny.render([{ role: 'user', content: 'Hi' }], true)).toBe(
      '<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n',
    );
  });

  test('ids beyond the embedding table', () => {
    expect(faultOf(() => tiny.decode([886]))).toContain('token-out-of-range');
    expect(faultOf(() => openTokenizer(TINY, 885))).toContain('token-out-of-range: token 885');
  });
});

describe('settings', () => {
  test('end tokens: a list, the declared token, and the one the template ends a turn with', () => {
    const list = variant({ 'generation_config.json': { eos_token_id: [883, 884] } });
    expect(openTokenizer(list, 886).eos).toEqual([883, 884, 885]);
    const base = variant({
      'generation_config.json': null,
      'config.json': { eos_token_id: 883 },
      'tokenizer_config.json': { ...parse('tokenizer_config.json'), eos_token: { content: '<|endoftext|>' } },
    });
    expect(openTokenizer(base, 886).eos).toEqual([883, 885]);
    const bad = variant({ 'generation_config.json': { eos_token_id: 'x' } });
    expect(faultOf(() => openTokenizer(bad, 886))).toContain('is not a token id');
  });

  test('a template in a file of its own wins; a list has a default', () => {
    const file = openTokenizer(variant({ 'chat_template.jinja': 'X{{ messages[0].content }}' }), 886);
    expect(file.render([{ role: 'user', content: 'a' }], false)).toBe('Xa');
    const named = [
      { name: 'tool', template: 'T' },
      { name: 'default', template: 'D' },
    ];
    const list = variant({
      'tokenizer_config.json': { ...parse('tokenizer_config.json'), chat_template: named },
    });
    expect(openTokenizer(list, 886).render([], false)).toBe('D');
  });

  test('without a template the plain form is used', () => {
    const plain = openTokenizer(variant({ 'tokenizer_config.json': { eos_token: '<|im_end|>' } }), 886);
    expect(plain.chat.source).toBe('plain');
    expect(
      plain.render(
        [
          { role: 'system', content: 'S' },
          { role: 'user', content: 'U' },
        ],
        true,
      ),
    ).toBe('S\n\n### Instruction:\nU\n\n### Response:\n');
  });
});

describe('templates', () => {
  const messages = [{ role: 'user' as const, content: 'a' }];
  test('what a template refuses or cannot do is a fault', () => {
    const render = (source: string) => faultOf(() => templateFormat(source, '', '').render(messages, false));
    expect(render("{{ raise_exception('only users') }}")).toContain('only users');
    expect(render('{% for x in range(10000000) %}a{% endfor %}')).toContain('range is longer');
    expect(render('{{ nothing.at.all() }}')).toContain('bad-chat-template');
    expect(render('{% if %}')).toContain('bad-chat-template');
    expect(render('x'.repeat(300000))).toContain('256 KiB');
  });

  test('no clock', () => {
    const source = '{% if strftime_now is defined %}clock{% else %}none{% endif %}{{ bos_token }}';
    expect(templateFormat(source, '<s>', '').render(messages, false)).toBe('none<s>');
  });

  test('the plain form of a finished conversation', () => {
    const chat = [...messages, { role: 'assistant' as const, content: 'b' }];
    expect(plainFormat('<s>', '</s>').render(chat, false)).toBe(
      '<s>### Instruction:\na\n\n### Response:\nb</s>',
    );
  });
});

describe('files that are refused', () => {
  const tokenizer = parse('tokenizer.json');
  const withModel = (change: object) => ({
    'tokenizer.json': { ...tokenizer, model: { ...tokenizer.model, ...change } },
  });
  const CASES: [name: string, files: Record<string, unknown>, text: string][] = [
    ['absent', { 'tokenizer.json': null }, 'file-not-found'],
    ['not JSON', { 'tokenizer.json': '{' }, 'bad-json'],
    ['too deep', { 'tokenizer.json': '['.repeat(100000) }, 'nests deeper'],
    ['no model', { 'tokenizer.json': {} }, 'bad-tokenizer'],
    ['another kind of model', withModel({ type: 'Wizard' }), '`Wizard` is not supported'],
    ['equal ids', withModel({ vocab: { ...tokenizer.model.vocab, zzz: 5 } }), 'have the same id 5'],
    ['an id of 1.5', withModel({ vocab: { ...tokenizer.model.vocab, zzz: 1.5 } }), 'no valid id'],
    ['a merge of nothing', withModel({ merges: ['zz yy'] }), 'merge 1 needs `zz`'],
    ['a merge of three', withModel({ merges: ['a b c'] }), 'merge 1 is not a pair'],
    [
      'an added token on a used id',
      {
        'tokenizer.json': { ...tokenizer, added_tokens: [{ id: 0, content: 'new', special: true }] },
      },
      'have the same id 0',
    ],
    [
      'a pattern that explodes',
      {
        'tokenizer.json': {
          ...tokenizer,
          pre_tokenizer: { type: 'Split', pattern: { Regex: '(a+)+$' }, behavior: 'Isolated' },
        },
      },
      'unsafe-tokenizer',
    ],
    ['prototype keys in the settings', { 'tokenizer_config.json': '{"__proto__":{"x":1}}' }, '__proto__'],
  ];
  for (const [name, files, text] of CASES) {
    test(name, () => expect(faultOf(() => openTokenizer(variant(files), 886))).toContain(text));
  }

  test('a word `__proto__` in the vocabulary is a word', () => {
    const source = JSON.stringify(tokenizer).replace('"vocab":{', '"vocab":{"__proto__":886,');
    const opened = openTokenizer(variant({ 'tokenizer.json': source }), 887);
    expect(opened.idOf('__proto__')).toBe(886);
  });
});

describe('patterns', () => {
  const gpt2 = "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";
  const llama3 =
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
  const o200k =
    "[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}]*[\\p{Ll}\\p{Lm}]+(?i:'s|'t|'re)?|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s+";
  for (const pattern of [
    gpt2,
    llama3,
    o200k,
    '(ab)+',
    '(a|b)?',
    '(a+)?',
    '\\(+',
    '[(+)]+',
    '(a[)|]b)*',
    '(a\\))+',
    '\\d{2,}',
  ]) {
    test(`safe: ${pattern.slice(0, 30)}`, () => expect(isSafePattern(pattern)).toBe(true));
  }
  for (const pattern of [
    '(a+)+$',
    '(a*)*',
    '(a|a)*b',
    '((a+))+',
    '(?:a+b?)*',
    '(a{2,})+',
    '(a)\\1',
    '(a+\\\\)+',
    '(a?a?)+$',
    '(a{1,500})+',
    '(a+){1,90}',
    'a)',
    '(a',
    '(a+){3,}',
    '(a|b){2}{1,}',
  ]) {
    test(`unsafe: ${pattern}`, () => expect(isSafePattern(pattern)).toBe(false));
  }
});
