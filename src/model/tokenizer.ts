/**
 * Text ↔ token ids, and the tokens and template that conversations need. Wraps @huggingface/tokenizers; every id is proved
 * to be below the number of embedding rows, because a GPU would silently read another row.
 */

import { Tokenizer as Engine } from '@huggingface/tokenizers';
import { Fault, fault } from '../report/fault.ts';
import { type ChatFormat, type Message, plainFormat, templateFormat } from './chat.ts';
import { type JsonLimits, parseJsonText, SMALL_JSON } from './json.ts';
import { quote } from './text.ts';
import { checkTokenizerJson } from './tokenizer-check.ts';

export type { Message } from './chat.ts';

export const TOKENIZER_JSON: JsonLimits = { maxBytes: 128 * 2 ** 20, maxDepth: 32, allowPrototypeKeys: true };
const PROBE = 'probe';

export class Tokenizer {
  /** Rows of the embedding table: ids are below it. */
  readonly vocabulary: number;
  /** Tokens that end generation. */
  readonly eos: readonly number[];
  /** Text of the token that ends a sequence; empty if the model has none. */
  readonly eosText: string;
  /** Text that starts a sequence outside a chat template; empty for most models. */
  readonly bosText: string;
  /** Filler for rows of equal length. Batches are packed, so it is never trained on. */
  readonly pad: number;
  readonly chat: ChatFormat;
  private readonly engine: Engine;
  private readonly path: string;

  /** Use `openTokenizer` or `makeTokenizer`. */
  constructor(engine: Engine, settings: Settings, vocabulary: number, path: string) {
    this.engine = engine;
    this.path = path;
    this.vocabulary = vocabulary;
    const declared = [...settings.eosIds, this.idOf(settings.eosToken)].filter(id => id !== undefined);
    this.eosText = settings.eosToken || (declared[0] === undefined ? '' : this.textOf(declared[0]));
    const bos = settings.bosToken;
    this.bosText = bos && this.rawEncode('a', true)[0] === this.idOf(bos) ? bos : '';
    this.chat = settings.template
      ? templateFormat(settings.template, bos, this.eosText)
      : plainFormat(this.bosText, this.eosText);
    const turnEnd = this.endOfTurn();
    this.eos = [...new Set(turnEnd === undefined ? declared : [...declared, turnEnd])];
    for (const id of this.eos) this.requireInRange(id);
    this.pad = settings.padId ?? this.idOf(settings.padToken) ?? this.eos[0] ?? 0;
    this.requireInRange(this.pad);
  }

  /**
   * Ids of a text; special tokens written out in it become their ids, none are added.
   * Faults: `token-out-of-range`; `bad-tokenizer` for a text that the vocabulary cannot express.
   */
  encode(text: string): number[] {
    const ids = this.rawEncode(text, false);
    for (const id of ids) {
      if (id === undefined)
        throw fault('bad-tokenizer', `${quote(text)} has characters that ${quote(this.path)} lacks`);
      if (id >= this.vocabulary) this.requireInRange(id);
    }
    return ids as number[];
  }

  /** Text of ids, special tokens left out unless `keepSpecial`. */
  decode(ids: readonly number[] | Int32Array | Uint32Array, keepSpecial = false): string {
    const list = Array.from(ids);
    if (list.length === 0) return '';
    for (const id of list) this.requireInRange(id);
    // Tidying spaces before punctuation would lose the difference between what was generated and what is usual.
    return this.engine.decode(list, {
      skip_special_tokens: !keepSpecial,
      clean_up_tokenization_spaces: false,
    });
  }

  /** Text of a conversation, see `ChatFormat`. */
  render(messages: readonly Message[], generationPrompt: boolean): string {
    return this.chat.render(messages, generationPrompt);
  }

  /** Text of the special token that stands at `at`, if any does. */
  specialAt(text: string, at: number): string | undefined {
    let longest: string | undefined;
    for (const token of this.engine.get_added_tokens_decoder().values()) {
      if (
        token.special &&
        text.startsWith(token.content, at) &&
        token.content.length > (longest?.length ?? 0)
      ) {
        longest = token.content;
      }
    }
    return longest;
  }

  /** Id of a token by its text. */
  idOf(text: string): number | undefined {
    return text === '' ? undefined : this.engine.token_to_id(text);
  }

  private textOf(id: number): string {
    return this.engine.id_to_token(id) ?? '';
  }

  private rawEncode(text: string, special: boolean): (number | undefined)[] {
    if (text === '') return [];
    return this.engine.encode(text, { add_special_tokens: special }).ids;
  }

  /** The special token that the template puts after an answer: base models often declare another end token than it. */
  private endOfTurn(): number | undefined {
    let text: string;
    try {
      text = this.chat.render(
        [
          { role: 'user', content: PROBE },
          { role: 'assistant', content: PROBE },
        ],
        false,
      );
    } catch (error) {
      // A template that fails is reported when a conversation is rendered; other data does not need it.
      if (error instanceof Fault) return undefined;
      throw error;
    }
    const special = this.specialAt(text, text.lastIndexOf(PROBE) + PROBE.length);
    return special === undefined ? undefined : this.idOf(special);
  }

  private requireInRange(id: number): void {
    if (Number.isInteger(id) && id >= 0 && id < this.vocabulary) return;
    throw fault(
      'token-out-of-range',
      `token ${id} (${quote(this.textOf(id))}) of ${quote(this.path)} is not below the vocabulary of ${this.vocabulary}`,
    );
  }
}

interface Settings {
  eosIds: number[];
  padId: number | undefined;
  eosToken: string;
  bosToken: string;
  padToken: string;
  template: string | undefined;
}

/** The texts of a tokenizer's files; only the first is required. */
export interface TokenizerFiles {
  'tokenizer.json': string;
  'tokenizer_config.json'?: string | undefined;
  'generation_config.json'?: string | undefined;
  'config.json'?: string | undefined;
  'chat_template.jinja'?: string | undefined;
}

/**
 * A tokenizer from the texts of its files.
 * @param vocabulary rows of the embedding table (`ModelShape.vocabulary`)
 * @param folder what they are in, for messages
 */
export function makeTokenizer(files: TokenizerFiles, vocabulary: number, folder: string): Tokenizer {
  const path = `${folder}/tokenizer.json`;
  const json = checkTokenizerJson(parseJsonText(files['tokenizer.json'], path, TOKENIZER_JSON), path);
  const config = parseOptional(files, 'tokenizer_config.json', folder);
  let engine: Engine;
  try {
    engine = new Engine({ added_tokens: [], ...json }, config);
  } catch (error) {
    // The library throws plain errors for parts it does not know; the file is what is wrong.
    const reason = error instanceof Error ? error.message : String(error);
    throw fault('bad-tokenizer', `${quote(path)} cannot be used: ${quote(reason)}`);
  }
  return new Tokenizer(engine, settingsOf(files, config, folder), vocabulary, path);
}

function settingsOf(files: TokenizerFiles, config: Record<string, unknown>, folder: string): Settings {
  const generation = parseOptional(files, 'generation_config.json', folder);
  const model = parseOptional(files, 'config.json', folder);
  return {
    eosIds: idList(generation.eos_token_id ?? model.eos_token_id),
    padId: idList(generation.pad_token_id ?? model.pad_token_id)[0],
    eosToken: tokenText(config.eos_token),
    bosToken: tokenText(config.bos_token),
    padToken: tokenText(config.pad_token),
    template: files['chat_template.jinja'] ?? templateIn(config),
  };
}

function parseOptional(
  files: TokenizerFiles,
  name: keyof TokenizerFiles,
  folder: string,
): Record<string, unknown> {
  const text = files[name];
  if (text === undefined) return {};
  const json = parseJsonText(text, `${folder}/${name}`, SMALL_JSON);
  if (typeof json !== 'object' || json === null || Array.isArray(json)) {
    throw fault('bad-json', `${quote(`${folder}/${name}`)} is not a JSON object`);
  }
  return json as Record<string, unknown>;
}

/** One id or a list of them. */
function idList(value: unknown): number[] {
  const list = Array.isArray(value) ? value : value == null ? [] : [value];
  for (const id of list) {
    if (!Number.isInteger(id) || id < 0)
      throw fault('bad-tokenizer', `${quote(JSON.stringify(id))} is not a token id`);
  }
  return list as number[];
}

/** Special tokens are given as text or as an object with `content`. */
function tokenText(value: unknown): string {
  if (typeof value === 'string') return value;
  const content =
    typeof value === 'object' && value !== null ? (value as { content?: unknown }).content : undefined;
  return typeof content === 'string' ? content : '';
}

/** One template or a list of named ones; a file of its own wins over it. */
function templateIn(config: Record<string, unknown>): string | undefined {
  const value = config.chat_template;
  if (typeof value === 'string') return value || undefined;
  if (!Array.isArray(value)) return undefined;
  const named = value.find(entry => entry?.name === 'default') as { template?: unknown } | undefined;
  return typeof named?.template === 'string' ? named.template : undefined;
}
