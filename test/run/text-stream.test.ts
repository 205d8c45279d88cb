/** Text as it becomes certain: all of it in the end, nothing that may change, and nothing of a stop text. */
import { describe, expect, test } from 'bun:test';
import { join } from 'node:path';
import fc from 'fast-check';
import { openTokenizer } from '../../src/model/open-tokenizer.ts';
import { TextStream } from '../../src/runtime/text-stream.ts';

/** Tokens are bytes, so that characters fall apart. */
const BYTES = { decode: (ids: readonly number[]) => new TextDecoder().decode(Uint8Array.from(ids)) };

/** Where the first stop text to be complete begins. */
function cutAt(text: string, stops: string[]): number | undefined {
  for (let end = 1; end <= text.length; end++) {
    const starts = stops.filter(s => text.slice(0, end).endsWith(s)).map(s => end - s.length);
    if (starts.length > 0) return Math.min(...starts);
  }
  return undefined;
}

function run(text: string, stops: string[] = [], cut = Number.POSITIVE_INFINITY) {
  const stream = new TextStream(BYTES, stops);
  const pieces: string[] = [];
  for (const byte of [...new TextEncoder().encode(text)].slice(0, cut)) pieces.push(stream.push(byte));
  pieces.push(stream.finish());
  expect(pieces.join('')).toBe(stream.text);
  return { text: stream.text, stopped: stream.stopped, pieces };
}

/** Few characters, so that stops are met and nearly met often; some of several bytes. */
const letters = fc.string({ unit: fc.constantFrom('a', 'b', 'é', '漢', '🙂'), maxLength: 24 });
const stop = fc.string({ unit: fc.constantFrom('a', 'b', 'é', '漢'), minLength: 1, maxLength: 4 });

describe('any text', () => {
  test('without stop texts: whole characters, and all of them', () => {
    fc.assert(
      fc.property(letters, text => {
        const { text: got, pieces } = run(text);
        expect(got).toBe(text);
        for (const piece of pieces) expect(piece).not.toContain('\ufffd');
      }),
    );
  });

  test('with stop texts: what stands before the first of them, and not a letter more on the way', () => {
    fc.assert(
      fc.property(letters, fc.array(stop, { minLength: 1, maxLength: 3 }), (text, stops) => {
        const at = cutAt(text, stops);
        const { text: got, stopped } = run(text, stops);
        expect(stopped).toBe(at !== undefined);
        expect(got).toBe(text.slice(0, at));
        // the same text in one piece
        const whole = new TextStream({ decode: ids => (ids.length > 0 ? text : '') }, stops);
        whole.push(0);
        whole.finish();
        expect(whole.text).toBe(got);
      }),
      { numRuns: 500 },
    );
  });

  test('cut anywhere: what was said stays said', () => {
    fc.assert(
      fc.property(letters, fc.nat(60), (text, cut) => {
        const { pieces } = run(text, ['ab'], cut);
        expect(text.startsWith(pieces.slice(0, -1).join(''))).toBe(true);
      }),
    );
  });
});

test('a stop text over three tokens is never shown in part', () => {
  expect(run('one\nQ: two', ['\nQ:']).pieces.filter(piece => piece !== '')).toEqual(['o', 'n', 'e']);
  // nor is what turned out not to be one lost
  expect(run('one\nQ. two', ['\nQ:']).text).toBe('one\nQ. two');
});

test('empty stop texts stop nothing', () => {
  expect(run('text', ['']).text).toBe('text');
});

test('tokens of a real vocabulary: as decoding them at once', () => {
  const tokenizer = openTokenizer(join(import.meta.dir, '../../examples/models/tiny-qwen2'), 886);
  for (const text of ['Is a robin a bird? Yes.', '  two  spaces', 'naïve 漢字 🙂', 'a\n\nb']) {
    const ids = tokenizer.encode(text);
    const stream = new TextStream(tokenizer);
    for (const id of ids) stream.push(id);
    stream.finish();
    expect(stream.text).toBe(tokenizer.decode(ids));
    expect(stream.text).toBe(text);
  }
});
