/**
 * Folders of a page: files by path, as a picker, a drop or `fetch` gives them. A Blob is read in ranges, so that a checkpoint
 * never is in memory as a whole; Node, Bun and Deno have Blobs of files, too.
 */
import { convertToF32 } from '../model/safetensors-bytes.ts';
import { DTYPE_BYTES, MAX_HEADER_BYTES, parseHeader, type TensorInfo } from '../model/safetensors-header.ts';
import { decodeUtf8, quote } from '../model/text.ts';
import { makeTokenizer, type Tokenizer, type TokenizerFiles } from '../model/tokenizer.ts';
import { fault } from '../report/fault.ts';
import { type CheckedPlan, readPlan } from '../runtime/read-plan.ts';
import type { TensorSource } from '../runtime/upload-weights.ts';

/** Files by path inside the folder, with `/` between parts. */
export type Folder = ReadonlyMap<string, Blob>;

const MAX_TEXT = 512 * 2 ** 20;

/** The part of a folder below the shallowest folder that has a file of this name, paths relative to it. */
export function folderWith(name: string, files: Folder): Folder {
  const depth = (path: string) => path.split('/').length;
  const [found] = [...files.keys()]
    .filter(path => path === name || path.endsWith(`/${name}`))
    .sort((a, b) => depth(a) - depth(b));
  if (found === undefined) throw fault('file-not-found', `there is no ${name} among the ${files.size} files`);
  const root = found.slice(0, found.length - name.length);
  return new Map(
    [...files].flatMap(([path, file]) => (path.startsWith(root) ? [[path.slice(root.length), file]] : [])),
  );
}

export async function textOf(files: Folder, name: string): Promise<string | undefined> {
  const file = files.get(name);
  if (!file) return undefined;
  if (file.size > MAX_TEXT) throw fault('file-too-large', `${quote(name)} has ${file.size} bytes`);
  const text = decodeUtf8(new Uint8Array(await file.arrayBuffer()));
  if (text === undefined) throw fault('unreadable-file', `${quote(name)} is not valid UTF-8`);
  return text;
}

/** The plan in a folder, checked. Faults: `plan-invalid`, `plan-version`, `plan-damaged`, `file-not-found`. */
export async function planIn(files: Folder): Promise<CheckedPlan> {
  const plan = folderWith('plan.json', files);
  return readPlan((await textOf(plan, 'plan.json'))!, file => textOf(plan, file));
}

/** The tokenizer of a model folder. */
export async function tokenizerIn(files: Folder, vocabulary: number): Promise<Tokenizer> {
  const names = [
    'tokenizer_config.json',
    'generation_config.json',
    'config.json',
    'chat_template.jinja',
  ] as const;
  const first = await textOf(files, 'tokenizer.json');
  if (first === undefined) throw fault('file-not-found', 'the model folder has no tokenizer.json');
  const texts: TokenizerFiles = { 'tokenizer.json': first };
  for (const name of names) texts[name] = await textOf(files, name);
  return makeTokenizer(texts, vocabulary, 'the model folder');
}

/** Tensors of all safetensors files of a folder, one or many shards. Faults: `bad-safetensors`, `missing-tensor`. */
export async function tensorsIn(files: Folder): Promise<TensorSource> {
  const tensors = new Map<string, { file: Blob; info: TensorInfo }>();
  for (const [path, file] of files) {
    if (!path.endsWith('.safetensors') || path.includes('/')) continue;
    for (const [name, info] of await headerOf(file, path)) {
      if (tensors.has(name)) throw fault('bad-checkpoint', `tensor ${quote(name)} is in two files`);
      tensors.set(name, { file, info });
    }
  }
  if (tensors.size === 0) throw fault('file-not-found', 'the model folder has no safetensors file');
  return async (name, range) => {
    const found = tensors.get(name);
    if (!found) throw fault('missing-tensor', `the model folder has no tensor ${quote(name)}`);
    const { file, info } = found;
    const width = DTYPE_BYTES[info.dtype];
    const from = info.start + (range?.from ?? 0) * width;
    const end = range ? from + range.count * width : info.end;
    const bytes = new Uint8Array(await file.slice(from, end).arrayBuffer());
    if (bytes.length !== end - from) throw fault('short-read', `the file of ${quote(name)} became shorter`);
    const values = new Float32Array(bytes.length / width);
    convertToF32(name, info.dtype, bytes, values, 0);
    return values;
  };
}

async function headerOf(file: Blob, path: string): Promise<ReadonlyMap<string, TensorInfo>> {
  const cutOff = () => fault('bad-safetensors', `${quote(path)} is cut off, or no safetensors file`);
  if (file.size < 8) throw cutOff();
  const length = Number(new DataView(await file.slice(0, 8).arrayBuffer()).getBigUint64(0, true));
  if (length > Math.min(file.size - 8, MAX_HEADER_BYTES)) throw cutOff();
  const bytes = new Uint8Array(await file.slice(8, 8 + length).arrayBuffer());
  return parseHeader(bytes, file.size, path).tensors;
}
