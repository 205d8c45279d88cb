/** Checkpoints: the golden models load whole, and what does not fit together is named. */
import { afterAll, describe, expect, test } from 'bun:test';
import {
  copyFileSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { checkFinite, expectedTensors, openCheckpoint } from '../../src/model/checkpoint.ts';
import { openSafetensors, type TensorData, writeSafetensors } from '../../src/model/safetensors.ts';
import { faultOf } from '../fault-of.ts';

const MODELS = join(import.meta.dir, '../golden/models');
const SHARDED = join(MODELS, 'sharded');
const LLAMA = join(MODELS, 'llama_gqa');
const TINY = join(import.meta.dir, '../../examples/models/tiny-qwen2');
const INDEX = 'model.safetensors.index.json';

const root = mkdtempSync(join(tmpdir(), 'mos-checkpoint-'));
afterAll(() => rmSync(root, { recursive: true }));
let copies = 0;

/** A writable copy of a model folder (the originals are read-only). */
function copy(from: string): string {
  const to = join(root, `${copies++}`);
  mkdirSync(to);
  for (const name of readdirSync(from)) writeFileSync(join(to, name), readFileSync(join(from, name)));
  return to;
}

function open(folder: string): string {
  return faultOf(() => openCheckpoint(folder).close());
}

describe('golden models', () => {
  const CASES: [folder: string, family: string, dtype: string, sizes: number[], tied: boolean][] = [
    [LLAMA, 'llama', 'F32', [301, 64, 172, 4, 2, 16, 3], false],
    [join(MODELS, 'qwen3_qknorm'), 'qwen3', 'BF16', [259, 48, 96, 4, 1, 24, 2], true],
    [SHARDED, 'qwen2', 'F16', [200, 32, 80, 2, 2, 16, 4], false],
    [TINY, 'qwen2', 'BF16', [886, 128, 352, 4, 2, 32, 6], true],
  ];
  test.each(CASES)('%s', (folder, family, dtype, sizes, tied) => {
    using checkpoint = openCheckpoint(folder);
    const { shape } = checkpoint;
    expect(shape.family).toBe(family);
    expect([
      shape.vocabulary,
      shape.hidden,
      shape.intermediate,
      shape.heads,
      shape.keyValueHeads,
      shape.headSize,
      shape.layers.length,
    ]).toEqual(sizes);
    expect(shape.head === shape.embedding).toBe(tied);
    const expected = expectedTensors(shape);
    expect([...expected.keys()].sort()).toEqual(checkpoint.names().sort());
    for (const [name, size] of expected) {
      expect(checkpoint.tensor(name)).toEqual({ shape: size, dtype: dtype as 'F32' });
      expect(checkpoint.readF32(name).length).toBe(size.reduce((a, b) => a * b, 1));
    }
  });

  test('a range is a part of the whole', () => {
    using checkpoint = openCheckpoint(TINY);
    const whole = checkpoint.readF32(checkpoint.shape.embedding);
    const part = checkpoint.readF32(checkpoint.shape.embedding, { from: 1000, count: 50 });
    expect(part).toEqual(whole.slice(1000, 1050));
  });
});

describe('hashes', () => {
  test('both change with what they cover', () => {
    const folder = copy(LLAMA);
    const hashes = () => {
      using checkpoint = openCheckpoint(folder);
      return [checkpoint.fingerprint(), checkpoint.contentHash()];
    };
    const before = hashes();
    expect(hashes()).toEqual(before);
    const path = join(folder, 'model.safetensors');
    const bytes = readFileSync(path);
    bytes[bytes.length - 1]! ^= 1;
    writeFileSync(path, bytes);
    const after = hashes();
    expect(after[0]).toBe(before[0]!);
    expect(after[1]).not.toBe(before[1]!);
    writeFileSync(join(folder, 'config.json'), `${readFileSync(join(folder, 'config.json'), 'utf8')} `);
    expect(hashes()[0]).not.toBe(before[0]!);
  });
});

describe('what does not fit together', () => {
  const edit = (folder: string, change: (config: Record<string, unknown>) => void, name = 'config.json') => {
    const json = JSON.parse(readFileSync(join(folder, name), 'utf8')) as Record<string, unknown>;
    change(json);
    writeFileSync(join(folder, name), JSON.stringify(json));
    return folder;
  };
  /** Rewrites the single weight file. */
  const rewrite = (folder: string, change: (tensors: Map<string, TensorData>) => void) => {
    const path = join(folder, 'model.safetensors');
    const tensors = new Map<string, TensorData>();
    {
      using file = openSafetensors(path);
      for (const [name, { dtype, shape }] of file.tensors)
        tensors.set(name, { dtype, shape, data: file.read(name) });
    }
    change(tensors);
    writeSafetensors(path, tensors);
    return folder;
  };
  const map = (change: (map: Record<string, unknown>) => void) => (index: Record<string, unknown>) =>
    change(index.weight_map as Record<string, unknown>);

  test('folders and files that are absent', () => {
    expect(open(join(root, 'absent'))).toContain('file-not-found');
    expect(open(join(LLAMA, 'config.json'))).toContain('not a folder');
    const folder = copy(LLAMA);
    rmSync(join(folder, 'model.safetensors'));
    expect(open(folder)).toContain('has neither model.safetensors nor');
  });

  test('a tensor that is missing or has another shape is named', () => {
    const name = 'model.layers.1.mlp.up_proj.weight';
    expect(open(rewrite(copy(LLAMA), t => t.delete(name)))).toContain(`no tensor \`${name}\``);
    expect(open(edit(copy(LLAMA), c => (c.num_hidden_layers = 4)))).toContain('missing-tensor');
    expect(open(edit(copy(LLAMA), c => (c.intermediate_size = 176)))).toContain(
      '[172, 64], config.json says [176, 64]',
    );
    const integers: TensorData = { dtype: 'I32', shape: [64], data: new Int32Array(64) };
    expect(open(rewrite(copy(LLAMA), t => t.set('model.norm.weight', integers)))).toContain(
      'unsupported-dtype',
    );
  });

  test('NaN and infinity are counted once, when read', () => {
    const values = new Float32Array(64);
    values.set([Number.NaN, Number.POSITIVE_INFINITY, Number.NaN]);
    expect(checkFinite(values)).toEqual({ nan: 2, infinite: 1 });
    const folder = rewrite(copy(LLAMA), t =>
      t.set('model.norm.weight', { dtype: 'F32', shape: [64], data: values }),
    );
    using checkpoint = openCheckpoint(folder);
    const message = faultOf(() => checkpoint.readF32('model.norm.weight'));
    expect(message).toContain('not-finite-weights: tensor `model.norm.weight`');
    expect(message).toContain('2 NaN and 1 infinite values among 64');
  });

  test('shards', () => {
    const second = 'model-00002-of-00002.safetensors';
    const absent = copy(SHARDED);
    rmSync(join(absent, second));
    expect(open(absent)).toContain(second);
    const cut = copy(SHARDED);
    truncateSync(join(cut, second), 9000);
    expect(open(cut)).toContain('is cut off');
    const name = 'model.norm.weight';
    const moved = edit(
      copy(SHARDED),
      map(m => (m[name] = 'model-00001-of-00002.safetensors')),
      INDEX,
    );
    expect(open(moved)).toContain(`puts \`${name}\` into`);
    const twice = copy(SHARDED);
    copyFileSync(join(twice, second), join(twice, 'third.safetensors'));
    expect(
      open(
        edit(
          twice,
          map(m => (m[name] = 'third.safetensors')),
          INDEX,
        ),
      ),
    ).toContain('is in two shards');
    expect(
      open(
        edit(
          copy(SHARDED),
          map(m => (m[name] = 1)),
          INDEX,
        ),
      ),
    ).toContain('no file name');
    expect(open(edit(copy(SHARDED), index => (index.weight_map = []), INDEX))).toContain('weight_map');
  });

  test('names and links that leave the folder', () => {
    const outside = copy(SHARDED);
    for (const shard of ['../x.safetensors', '/x.safetensors', 'a/b.safetensors', '..', 'a\\b.safetensors']) {
      const folder = edit(
        copy(SHARDED),
        map(m => (m['model.norm.weight'] = shard)),
        INDEX,
      );
      expect(open(folder)).toMatch(/unsafe-path|bad-checkpoint/);
    }
    const linked = copy(LLAMA);
    rmSync(join(linked, 'model.safetensors'));
    symlinkSync(join(outside, 'model-00001-of-00002.safetensors'), join(linked, 'model.safetensors'));
    expect(open(linked)).toContain('unsafe-path');
  });

  test('the links of a Hugging Face cache are followed', () => {
    const cache = join(root, 'models--a--b');
    const blobs = join(cache, 'blobs');
    const snapshot = join(cache, 'snapshots', 'abc');
    mkdirSync(snapshot, { recursive: true });
    cpSync(LLAMA, blobs, { recursive: true });
    for (const name of readdirSync(blobs))
      symlinkSync(join('../../blobs', basename(name)), join(snapshot, name));
    expect(open(snapshot)).toBe('ok');
  });
});
