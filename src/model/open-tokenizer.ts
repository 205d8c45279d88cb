/** The tokenizer of a model folder. */
import { join } from 'node:path';
import { fault } from '../report/fault.ts';
import { decodeUtf8, hasFile, quote, readSmallFile, resolveInside } from './files.ts';
import { SMALL_JSON } from './json.ts';
import { makeTokenizer, TOKENIZER_JSON, type Tokenizer, type TokenizerFiles } from './tokenizer.ts';

const OPTIONAL = [
  'tokenizer_config.json',
  'generation_config.json',
  'config.json',
  'chat_template.jinja',
] as const;

/**
 * Reads tokenizer.json, tokenizer_config.json, generation_config.json, config.json and chat_template.jinja of a folder;
 * only the first is required.
 * @param vocabulary rows of the embedding table (`ModelShape.vocabulary`)
 */
export function openTokenizer(folder: string, vocabulary: number): Tokenizer {
  const files: TokenizerFiles = { 'tokenizer.json': read(folder, 'tokenizer.json', TOKENIZER_JSON.maxBytes) };
  for (const name of OPTIONAL)
    if (hasFile(folder, name)) files[name] = read(folder, name, SMALL_JSON.maxBytes);
  return makeTokenizer(files, vocabulary, folder);
}

function read(folder: string, name: keyof TokenizerFiles, maxBytes: number): string {
  const text = decodeUtf8(readSmallFile(resolveInside(folder, name), maxBytes));
  if (text !== undefined) return text;
  const code = name.endsWith('.json') ? 'bad-json' : 'bad-chat-template';
  throw fault(code, `${quote(join(folder, name))} is not valid UTF-8`);
}
