/** Quantised ahead is quantised at load, word for word; and a quantised folder is read as strictly as any. */
import { afterAll, describe, expect, test } from 'bun:test';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { compile } from '../../compiler/index.ts';
import { rowWords, storagesFor } from '../../compiler/plan/storage.ts';
import { check } from '../../dsl/index.ts';
import { expectedTensors, openCheckpoint } from '../../src/model/checkpoint.ts';
import { openTokenizer } from '../../src/model/open-tokenizer.ts';
import { openSafetensors, type TensorData, writeSafetensors } from '../../src/model/safetensors.ts';
import { QUANTISED, quantiseModel } from '../../src/run/quantize.ts';
import { packRows, unpackRows } from '../../src/runtime/pack-weights.ts';
import type { TensorSource } from '../../src/runtime/upload-weights.ts';
import { uploadWeights } from '../../src/runtime/upload-weights.ts';
import { mos } from '../cli/run.ts';
import { faultOf } from '../fault-of.ts';
import { writeTinyModel } from '../tiny-model.ts';

const QWEN = join(import.meta.dir, '../../examples/models/tiny-qwen2');
const SHARDED = join(import.meta.dir, '../golden/models/sharded');
const root = mkdtempSync(join(tmpdir(), 'mos-quantize-'));
afterAll(() => rmSync(root, { recursive: true }));

/** What the weight buffers of a plan would hold, by name, without a device. */
async function buffersOf(folder: string, dtype: string): Promise<Map<string, Uint8Array>> {
  using checkpoint = openCheckpoint(folder);
  const { program } = check(
    'p.mos',
    `model "m" < dtype: ${dtype} >\nadapter q_proj < rank: 4; experts: euclid >`,
  );
  // small pieces, so that tables are read in parts
  const { plan } = compile(program!, checkpoint.shape, { bindingBytes: 20_000 }).compiled!;
  const written = new Map<string, Uint8Array>();
  for (const { name, bytes, content } of plan.buffers) {
    if (content?.kind !== 'weights') continue;
    const memory = new Uint8Array(bytes);
    const queue = {
      writeBuffer: (_: unknown, at: number, words: Uint32Array, from: number, count: number) =>
        memory.set(new Uint8Array(words.buffer, words.byteOffset + 4 * from, 4 * count), at),
      submit() {},
      onSubmittedWorkDone: async () => {},
    };
    const source: TensorSource = checkpoint.source();
    await uploadWeights({ queue } as unknown as GPUDevice, { size: bytes } as GPUBuffer, content, source);
    written.set(name, memory);
  }
  return written;
}

describe('quantised ahead', () => {
  for (const storage of QUANTISED) {
    test(`${storage}: the GPU gets the same bytes as from the original`, async () => {
      for (const [i, model] of [QWEN, SHARDED].entries()) {
        const folder = join(root, `${storage}-${i}`);
        using original = openCheckpoint(model);
        quantiseModel(original, storage, folder);
        const [now, ahead] = [await buffersOf(model, storage), await buffersOf(folder, 'auto')];
        expect([...ahead.keys()]).toEqual([...now.keys()]);
        for (const [name, bytes] of now) expect(Buffer.compare(bytes, ahead.get(name)!)).toBe(0);
      }
    });
  }

  test('is smaller, keeps tokenizer and template, and is named for what it is', () => {
    using original = openCheckpoint(QWEN);
    const folder = join(root, 'small');
    const { before, after } = quantiseModel(original, 'nf4', folder);
    expect(after).toBeLessThan(0.45 * before);
    using quantised = openCheckpoint(folder);
    expect(quantised.shape.dtype).toBe('nf4');
    const { vocabulary } = quantised.shape;
    const text = [{ role: 'user' as const, content: 'Is a robin a bird?' }];
    expect(openTokenizer(folder, vocabulary).render(text, true)).toBe(
      openTokenizer(QWEN, vocabulary).render(text, true),
    );
    expect(
      JSON.parse(readFileSync(join(folder, 'config.json'), 'utf8')).quantization_config.quant_method,
    ).toBe('mos');
  });

  test('reads as the numbers that its words stand for, in any range', () => {
    using original = openCheckpoint(QWEN);
    const folder = join(root, 'ranges');
    quantiseModel(original, 'int4', folder);
    using quantised = openCheckpoint(folder);
    for (const [name, [rows, columns]] of expectedTensors(original.shape)) {
      if (columns === undefined) {
        expect(quantised.readF32(name)).toEqual(original.readF32(name));
        continue;
      }
      const { linear, table } = storagesFor('int4', undefined);
      const storage = name === original.shape.embedding ? table : linear;
      const wanted = unpackRows(
        storage,
        packRows(storage, original.readF32(name), columns, columns),
        columns,
        columns,
      );
      expect(quantised.readF32(name)).toEqual(wanted);
      const range = { from: columns + 3, count: 2 * columns + 1 };
      expect(quantised.readF32(name, range)).toEqual(wanted.slice(range.from, range.from + range.count));
      expect(rows * columns).toBe(wanted.length);
    }
  });

  test('what cannot be', () => {
    using original = openCheckpoint(QWEN);
    const folder = join(root, 'refused');
    quantiseModel(original, 'int8', folder);
    expect(faultOf(() => quantiseModel(original, 'int8', folder))).toContain('there is something in');
    using quantised = openCheckpoint(folder);
    expect(faultOf(() => quantiseModel(quantised, 'nf4', join(root, 'twice')))).toContain(
      'is quantised already',
    );
  });

  test('a damaged folder is refused by name', () => {
    using original = openCheckpoint(QWEN);
    const folder = join(root, 'damaged');
    quantiseModel(original, 'nf4', folder);
    const path = join(folder, 'model.safetensors');
    const name = 'model.layers.0.mlp.up_proj.weight';
    const tensors = (): Map<string, TensorData> => {
      using file = openSafetensors(path);
      return new Map(
        [...file.tensors].map(([n, { dtype, shape }]) => [n, { dtype, shape, data: file.read(n) }]),
      );
    };
    const whole = tensors();
    const broken = tensors();
    new Float32Array(broken.get(name)!.data.buffer as ArrayBuffer)[1] = Number.NaN;
    writeSafetensors(path, broken);
    using open = openCheckpoint(folder);
    expect(faultOf(() => open.readPacked(name, 'nf4', { from: 0, count: 1 }))).toContain(
      'not-finite-weights',
    );
    const [rows, words] = whole.get(name)!.shape;
    expect(words).toBe(rowWords('nf4', 128));
    writeSafetensors(
      path,
      whole.set(name, { dtype: 'U32', shape: [rows, 3], data: new Uint32Array(3 * rows) }),
    );
    expect(faultOf(() => openCheckpoint(folder))).toContain('wrong-tensor-shape');
    const config = JSON.parse(readFileSync(join(folder, 'config.json'), 'utf8'));
    config.quantization_config.quant_method = 'gptq';
    writeFileSync(join(folder, 'config.json'), JSON.stringify(config));
    expect(faultOf(() => openCheckpoint(folder))).toContain('quantised by `"gptq"`');
  });

  test('the command', async () => {
    writeTinyModel(join(root, 'tiny'));
    const done = await mos([
      'quantize',
      join(root, 'tiny'),
      '--storage',
      'nf4',
      '--out',
      join(root, 'tiny-nf4'),
    ]);
    expect(done.stdout).toContain('of nf4, written to');
    openCheckpoint(join(root, 'tiny-nf4')).close();
    const wrong = await mos(['quantize', join(root, 'tiny'), '--storage', 'nf5', '--out', join(root, 'x')]);
    expect(wrong.code).toBe(1);
    expect(wrong.stderr).toContain('one of int8, int4, nf4');
  });
});
