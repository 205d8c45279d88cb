/** Tokenised text, decoded text and rendered conversations, ours beside those that text.py wrote. */
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Message } from '../../src/model/chat.ts';
import { openTokenizer } from '../../src/model/open-tokenizer.ts';
import { Fault } from '../../src/report/fault.ts';
import type { Report } from './report.ts';

interface Written {
  texts: string[];
  tokenizers: Record<
    string,
    {
      vocabulary: number;
      start: string;
      plain: number[][];
      started: number[][];
      sequences: number[][];
      decoded: string[];
    }
  >;
  conversations: Message[][];
  templates: Record<string, [string | null, string | null][]>;
}

export function compareText(folder: string, report: Report): void {
  const written = JSON.parse(readFileSync(join(folder, 'text.json'), 'utf8')) as Written;
  for (const [name, theirs] of Object.entries(written.tokenizers)) {
    const home = name === 'tiny-qwen2' ? resolve('examples/models', name) : join(folder, 'text', name);
    const tokenizer = openTokenizer(home, theirs.vocabulary);
    const { texts } = written;
    const ids = (start: string) => texts.map(text => [text, tokenizer.encode(start + text)]);
    report.same(`${name}: start token`, tokenizer.bosText, theirs.start);
    report.same(
      `${name}: ids of texts`,
      ids(''),
      texts.map((text, i) => [text, theirs.plain[i]]),
    );
    report.same(
      `${name}: ids behind the start token`,
      ids(theirs.start),
      texts.map((text, i) => [text, theirs.started[i]]),
    );
    // Bytes that are no text: one sign for each of the run there, for those that are wrong here.
    const sound = theirs.sequences.flatMap((_, i) => (theirs.decoded[i].includes('\ufffd') ? [] : [i]));
    report.same(
      `${name}: texts of ids`,
      sound.map(i => tokenizer.decode(theirs.sequences[i])),
      sound.map(i => theirs.decoded[i]),
    );
  }
  const [{ vocabulary }] = Object.values(written.tokenizers);
  for (const [name, theirs] of Object.entries(written.templates)) {
    const tokenizer = openTokenizer(join(folder, 'text', `template_${name}`), vocabulary);
    const ours = written.conversations.map(c =>
      [false, true].map(prompt => orFault(() => tokenizer.render(c, prompt))),
    );
    report.same(`chat template ${name}`, ours, theirs);
  }
}

/** What transformers raises an exception for, and is null in its file, is a fault here. */
function orFault<T>(action: () => T): T | null {
  try {
    return action();
  } catch (error) {
    if (error instanceof Fault) return null;
    throw error;
  }
}
