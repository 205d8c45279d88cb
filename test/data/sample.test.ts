/** Labels lie on answers and their end token, on nothing else; what is lost is counted. */
import { describe, expect, test } from 'bun:test';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { DataBlock, EvalBlock } from '../../dsl/program.ts';
import { type DataRecord, readDataset } from '../../src/data/dataset.ts';
import { countTargets, IGNORED, type Sample } from '../../src/data/labels.ts';
import { loadEvalItems, loadTrainingData } from '../../src/data/load.ts';
import { makeEvalItem, makeSample } from '../../src/data/sample.ts';
import { plainFormat, templateFormat } from '../../src/model/chat.ts';
import { openTokenizer } from '../../src/model/open-tokenizer.ts';
import { openSafetensors } from '../../src/model/safetensors.ts';
import type { Tokenizer } from '../../src/model/tokenizer.ts';
import { Fault } from '../../src/report/fault.ts';

const ROOT = join(import.meta.dir, '../..');
const TASKS = join(ROOT, 'examples/tasks');
const tiny = openTokenizer(join(ROOT, 'examples/models/tiny-qwen2'), 886);
const place = { file: 'test', line: 1 };

/** Text under the labels, special tokens shown, one string per run of labels. */
function labelled(sample: Sample): string[] {
  const runs: number[][] = [];
  sample.labels.forEach((label, t) => {
    if (label === IGNORED) return;
    expect(label).toBe(sample.ids[t]!);
    if (t === 0 || sample.labels[t - 1] === IGNORED) runs.push([]);
    runs.at(-1)!.push(label);
  });
  return runs.map(run => tiny.decode(run, true));
}

const chat = (...contents: string[]): DataRecord => ({
  kind: 'chat',
  place,
  messages: contents.map((content, i) => ({ role: i % 2 ? 'assistant' : 'user', content })),
});

/** The tiny tokenizer with another chat format. */
const withFormat = (format: Tokenizer['chat']): Tokenizer =>
  Object.create(tiny, { chat: { value: format } }) as Tokenizer;

describe('labels', () => {
  test('one answer: content and end token, not the header', () => {
    const sample = makeSample(chat('What time is it?', 'The answer is 9.'), tiny, 'response', 512);
    expect(tiny.decode(sample.ids, true)).toBe(
      '<|im_start|>user\nWhat time is it?<|im_end|>\n<|im_start|>assistant\nThe answer is 9.<|im_end|>\n',
    );
    expect(labelled(sample)).toEqual(['The answer is 9.<|im_end|>']);
    expect(sample.mergedBoundaries).toBe(0);
  });

  test('every answer of a longer conversation', () => {
    expect(labelled(makeSample(chat('a', 'b c', 'd', ' e\n'), tiny, 'response', 512))).toEqual([
      'b c<|im_end|>',
      ' e\n<|im_end|>',
    ]);
  });

  test('an answer that also stands in its question, and an empty one', () => {
    expect(labelled(makeSample(chat('9', '9', '9', '9'), tiny, 'response', 512))).toEqual([
      '9<|im_end|>',
      '9<|im_end|>',
    ]);
    expect(labelled(makeSample(chat('a', ''), tiny, 'response', 512))).toEqual(['<|im_end|>']);
  });

  test('loss on all, completions, truncation', () => {
    const all = makeSample(chat('a', 'b'), tiny, 'all', 512);
    expect(all.labels).toEqual(all.ids);
    const text: DataRecord = { kind: 'text', place, prompt: 'The answer', completion: ' is 9.' };
    expect(labelled(makeSample(text, tiny, 'response', 512))).toEqual([' is 9.<|im_end|>']);
    const cut = makeSample(chat('a', 'b c d e f'), tiny, 'response', 9);
    expect(cut.ids.length).toBe(9);
    expect(cut.truncated).toBe(true);
    expect(countTargets(makeSample(chat('a', 'b'), tiny, 'response', 4).labels)).toBe(0);
  });

  test('a token across the boundary belongs to the answer and is counted', () => {
    const text: DataRecord = { kind: 'text', place, prompt: 'The ans', completion: 'wer is 9.' };
    const sample = makeSample(text, tiny, 'response', 512);
    expect(sample.mergedBoundaries).toBe(1);
    expect(labelled(sample)).toEqual([' answer is 9.<|im_end|>']);
  });

  test('plain form, trimming templates, reasoning that is dropped from earlier turns', () => {
    const plain = withFormat(plainFormat('', '<|im_end|>'));
    expect(labelled(makeSample(chat('a', 'b', 'c', 'd'), plain, 'response', 512))).toEqual([
      'b<|im_end|>',
      'd<|im_end|>',
    ]);
    const trimming = withFormat(
      templateFormat(
        "{% for m in messages %}[{{ m.role }}]{{ m.content | trim }}{% if m.role == 'assistant' %} <|im_end|>{% endif %}{% endfor %}" +
          '{% if add_generation_prompt %}[assistant]{% endif %}',
        '',
        '',
      ),
    );
    expect(labelled(makeSample(chat('a', ' b '), trimming, 'response', 512))).toEqual(['b <|im_end|>']);
    const thinking = withFormat(
      templateFormat(
        "{% for m in messages %}[{{ m.role }}]{% if m.role == 'assistant' and loop.last %}<t></t>{% endif %}{{ m.content }}<|im_end|>{% endfor %}" +
          '{% if add_generation_prompt %}[assistant]{% endif %}',
        '',
        '',
      ),
    );
    expect(labelled(makeSample(chat('a', 'b', 'c', 'd'), thinking, 'response', 512))).toEqual([
      'b<|im_end|>',
      '<t></t>d<|im_end|>',
    ]);
  });

  test('a template whose prompts are not beginnings is refused', () => {
    const odd = withFormat(templateFormat('{{ messages | length }}{{ messages[-1].content }}', '', ''));
    expect(() => makeSample(chat('a', 'b'), odd, 'response', 512)).toThrow(Fault);
    expect(makeSample(chat('a', 'b'), odd, 'all', 512).labels.length).toBeGreaterThan(0);
  });

  test('every task: the labelled text is the output and its end token', () => {
    for (const task of ['clock', 'sum', 'tree']) {
      for (const record of readDataset([join(TASKS, `${task}.test.jsonl`)]).records) {
        if (record.kind !== 'chat') throw new Error('alpaca records are conversations');
        const sample = makeSample(record, tiny, 'response', 512);
        expect(labelled(sample)).toEqual([`${record.messages.at(-1)!.content}<|im_end|>`]);
        expect(sample.mergedBoundaries).toBe(0);
      }
    }
  });

  test('the same ids and labels as the golden batches, but for the line break after the end token', () => {
    using golden = openSafetensors(join(ROOT, 'test/golden/train/trajectory.safetensors'));
    const [rows, width] = golden.tensor('batch.0.input_ids').shape as [number, number];
    const read = (name: string) => golden.readInts(`batch.0.${name}`);
    const [ids, labels, valid] = [read('input_ids'), read('labels'), read('valid')];
    for (let row = 0; row < rows; row++) {
      const length = valid.slice(row * width, (row + 1) * width).reduce((a, b) => a + b, 0);
      const theirIds = ids.slice(row * width, row * width + length);
      const text = tiny.decode(theirIds, true);
      const [, question, answer] = /user\n(.*)<.im_end.>\n<.im_start.>assistant\n(.*)<.im_end.>\n$/.exec(
        text,
      )!;
      const own = makeSample(chat(question!, answer!), tiny, 'response', 512);
      expect([...own.ids]).toEqual(theirIds);
      const theirs = labels.slice(row * width, row * width + length);
      expect([...own.labels.slice(0, -1)]).toEqual(theirs.slice(0, -1));
    }
  });
});

describe('loading', () => {
  const block = (change: Partial<DataBlock> = {}): DataBlock => ({
    paths: ['clock.train.jsonl'],
    baseDir: TASKS,
    format: 'auto',
    length: 128,
    validation: 0.05,
    loss: 'response',
    origin: { file: '', start: 0, end: 0, line: 1, column: 1 },
    ...change,
  });

  test('split, counts and hash', () => {
    const data = loadTrainingData(block(), tiny, 7);
    expect([data.train.length, data.validation.length]).toEqual([591, 31]);
    expect([data.truncated, data.dropped, data.mergedBoundaries]).toEqual([0, 0, 0]);
    expect(data.files[0]!.format).toBe('alpaca');
    expect(loadTrainingData(block(), tiny, 7)).toEqual(data);
    expect(loadTrainingData(block({ validation: 0 }), tiny, 7).validation).toEqual([]);
  });

  test('too short a length leaves nothing to learn', () => {
    expect(() => loadTrainingData(block({ length: 8 }), tiny, 7)).toThrow('no-labels');
    const partly = loadTrainingData(block({ length: 26 }), tiny, 7);
    expect(partly.truncated).toBeGreaterThan(0);
  });

  test('evaluation: generation prompt, reference, limit', () => {
    const evalBlock: EvalBlock = {
      name: 'clock',
      paths: ['clock.test.jsonl'],
      baseDir: TASKS,
      format: 'auto',
      metric: 'exact',
      maxTokens: 24,
      batch: 8,
      limit: 3,
      origin: block().origin,
    };
    const items = loadEvalItems(evalBlock, tiny);
    expect(items.map(item => item.answer)).toEqual(['9', 'April', 'Thursday']);
    expect(items[0]!.promptText.endsWith('<|im_start|>assistant\n')).toBe(true);
    expect(tiny.decode(items[0]!.prompt, true)).toBe(items[0]!.promptText);
    expect(makeEvalItem(chat('q', 'It is so. The answer is 1,200.'), tiny).answer).toBe('1,200');
  });

  test('paths are relative to the block', () => {
    const folder = mkdtempSync(join(tmpdir(), 'mos-load-'));
    writeFileSync(join(folder, 'x.jsonl'), '{"prompt":"a","completion":"b"}');
    expect(loadTrainingData(block({ baseDir: folder, paths: ['x.jsonl'] }), tiny, 1).train.length).toBe(1);
    rmSync(folder, { recursive: true });
  });
});
