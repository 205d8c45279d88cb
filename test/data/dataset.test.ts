/** Data files: formats, and every kind of damage with its line. */
import { afterAll, describe, expect, test } from 'bun:test';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { DataFormat } from '../../dsl/program.ts';
import { readDataset } from '../../src/data/dataset.ts';
import { LONGEST_LINE } from '../../src/data/lines.ts';
import { faultOf as endOf } from '../fault-of.ts';

const folder = mkdtempSync(join(tmpdir(), 'mos-data-'));
afterAll(() => rmSync(folder, { recursive: true }));

function file(content: string | Uint8Array, name = 'data.jsonl'): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

const faultOf = (content: string | Uint8Array, format: DataFormat = 'auto'): string =>
  endOf(() => readDataset([file(content)], format));

const ALPACA = '{"instruction":"i","output":"o"}';
const CHAT = '{"messages":[{"role":"user","content":"u"},{"role":"assistant","content":"a"}]}';
const TEXT = '{"prompt":"p","completion":"c"}';

describe('formats', () => {
  test('alpaca, with input, system, history and answer', () => {
    const line = '{"instruction":"i","input":"n","output":"o","answer":7,"system":"s","history":[["q","r"]]}';
    expect(readDataset([file(line)]).records[0]).toMatchObject({
      kind: 'chat',
      answer: '7',
      place: { line: 1 },
      messages: [
        { role: 'system', content: 's' },
        { role: 'user', content: 'q' },
        { role: 'assistant', content: 'r' },
        { role: 'user', content: 'i\n\nn' },
        { role: 'assistant', content: 'o' },
      ],
    });
    expect(readDataset([file('{"instruction":"i","input":"","output":"o"}')]).records[0]).toMatchObject({
      messages: [
        { role: 'user', content: 'i' },
        { role: 'assistant', content: 'o' },
      ],
    });
  });

  test('conversations of both spellings, and completions', () => {
    const shared = '{"conversations":[{"from":"human","value":"u"},{"from":"gpt","value":"a"}]}';
    const a = readDataset([file(CHAT)]).records[0];
    const b = readDataset([file(shared)]).records[0];
    expect(a).toEqual(b!);
    expect(readDataset([file(TEXT)]).records[0]).toMatchObject({
      kind: 'text',
      prompt: 'p',
      completion: 'c',
    });
  });

  test('lists, byte order marks, CRLF, blank lines, no last line break', () => {
    for (const content of [
      `${ALPACA}\n${ALPACA}\n`,
      `\ufeff${ALPACA}\r\n\r\n${ALPACA}`,
      `\ufeff [\n${ALPACA},\n${ALPACA}\n]\n`,
    ]) {
      expect(readDataset([file(content)]).records.length).toBe(2);
    }
    expect(
      readDataset([file(`[\n\n${ALPACA},\n{"instruction":"a]\\"},{","output":"\\\\"}]`)]).records.map(
        r => r.place.line,
      ),
    ).toEqual([3, 4]);
  });

  test('each file has its own format; the hash covers all of them in order', () => {
    const a = file(ALPACA, 'a.jsonl');
    const b = file(`${TEXT}\n${TEXT}`, 'b.jsonl');
    const both = readDataset([a, b]);
    expect(both.files.map(f => [f.format, f.records])).toEqual([
      ['alpaca', 1],
      ['completion', 2],
    ]);
    expect(readDataset([b, a]).hash).not.toBe(both.hash);
    expect(readDataset([a, b]).hash).toBe(both.hash);
  });

  test('lines that cross the reading chunks', () => {
    const long = JSON.stringify({ instruction: 'ä'.repeat(700_000), output: 'o' });
    const { records } = readDataset([file(`${ALPACA}\n${long}\n${ALPACA}\n${long}`)]);
    expect(records.map(r => r.place.line)).toEqual([1, 2, 3, 4]);
    expect(records[3]).toMatchObject({ messages: [{ content: 'ä'.repeat(700_000) }, {}] });
  });
});

describe('damage', () => {
  const CASES: [name: string, content: string | Uint8Array, text: string, format?: DataFormat][] = [
    ['empty file', '', 'no-data'],
    ['blank lines only', '\n \r\n', 'no-data'],
    ['empty list', '[]', 'no-data'],
    ['not JSON', `${ALPACA}\n{oops}\n${ALPACA}`, 'line 2 of'],
    ['cut last line', `${ALPACA}\n{"instruction":"i`, 'line 2 of'],
    ['cut last line is told', `${ALPACA}\n{"instruction":"i`, 'cut off'],
    ['cut list', `[${ALPACA},\n${ALPACA.slice(0, 20)}`, 'line 2 of'],
    ['unclosed list', `[${ALPACA}`, 'cut off'],
    ['text after a list', `[${ALPACA}]\nx`, 'line 2 of'],
    ['missing comma', `[${ALPACA}\n${ALPACA}]`, 'comma is missing'],
    ['two commas', `[${ALPACA},,${ALPACA}]`, 'a record is missing'],
    ['list of numbers', '[1,2]', 'has to be an object'],
    ['broken record in a list', `[${ALPACA},\n{"a":}]`, 'line 2 of'],
    ['a number', '5', 'has to be an object'],
    ['invalid UTF-8', new Uint8Array([...new TextEncoder().encode(`${ALPACA}\n`), 0xff, 10]), 'line 2 of'],
    ['half a surrogate pair', `${ALPACA}\n{"instruction":"\\ud800","output":"o"}`, 'line 2 of'],
    ['deep nesting', `${ALPACA}\n${'['.repeat(1000000)}`, 'line 2 of'],
    ['deep nesting in a list', `[${'{"a":'.repeat(100000)}`, 'nests deeper'],
    ['long line', `${ALPACA}\n"${'a'.repeat(LONGEST_LINE)}"`, 'longer than 16 MiB'],
    ['__proto__', '{"__proto__":{},"instruction":"i","output":"o"}', '__proto__'],
    ['unknown keys', '{"text":"a"}', 'unknown-data-format'],
    ['a second format', `${ALPACA}\n${TEXT}`, 'line 2 of'],
    ['another format than asked for', ALPACA, '`prompt` is missing', 'completion'],
    ['an output that is a number', '{"instruction":"i","output":5}', '`output` has to be a text'],
    ['an answer that is a list', '{"instruction":"i","output":"o","answer":[]}', '`answer`'],
    ['no messages', '{"messages":[]}', 'not empty'],
    ['an unknown role', '{"messages":[{"role":"tool","content":"a"}]}', 'needs the role'],
    ['no assistant', '{"messages":[{"role":"user","content":"a"}]}', 'no assistant message'],
    ['content in parts', '{"messages":[{"role":"user","content":[{"type":"text"}]}]}', 'has to be a text'],
    ['history that is no list of pairs', '{"instruction":"i","output":"o","history":[["a"]]}', 'pairs'],
  ];
  for (const [name, content, text, format] of CASES) {
    test(name, () => expect(faultOf(content, format)).toContain(text));
  }

  test('no files', () => expect(() => readDataset([])).toThrow('no data file'));
});
