/** Faults 1 to 32: safetensors files, shards, configurations, tokenizers and data from strangers. */
import { expect } from 'bun:test';
import { rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { batchStream } from '../../src/data/batches.ts';
import { readDataset } from '../../src/data/dataset.ts';
import { LONGEST_LINE } from '../../src/data/lines.ts';
import { loadTrainingData } from '../../src/data/load.ts';
import { openCheckpoint } from '../../src/model/checkpoint.ts';
import { parseConfig } from '../../src/model/config.ts';
import { readJson } from '../../src/model/files.ts';
import { openTokenizer } from '../../src/model/open-tokenizer.ts';
import { openSafetensors, type TensorData, writeSafetensors } from '../../src/model/safetensors.ts';
import { LLAMA } from '../configs.ts';
import { TINY_VOCABULARY, writeTinyData, writeTinyModel } from '../tiny-model.ts';
import { codeOf, faultOf, newFolder, tiny, trial } from './rig.ts';
import { fault } from './table.ts';

const here = newFolder();

/** A safetensors file of a header (text or bytes) and data bytes; `claim` is the header length it gives. */
function file(header: string | Uint8Array, dataBytes = 0, claim?: bigint): string {
  const bytes = typeof header === 'string' ? new TextEncoder().encode(header) : header;
  const content = new Uint8Array(8 + bytes.length + dataBytes);
  new DataView(content.buffer).setBigUint64(0, claim ?? BigInt(bytes.length), true);
  content.set(bytes, 8);
  const path = join(here, 'file.safetensors');
  writeFileSync(path, content);
  return path;
}

const opened = (header: string | Uint8Array, dataBytes = 0, claim?: bigint) =>
  codeOf(() => openSafetensors(file(header, dataBytes, claim)).close());
const tensor = (shape: string, offsets: string, dtype = '"F32"') =>
  `{"dtype":${dtype},"shape":${shape},"data_offsets":${offsets}}`;
const ONE = tensor('[2]', '[0,8]');

async function allBad(
  headers: (string | Uint8Array)[],
  dataBytes = 8,
  code = 'bad-safetensors',
): Promise<void> {
  for (const header of headers) expect([header, await opened(header, dataBytes)]).toEqual([header, code]);
}

fault(1, 'a safetensors file below eight bytes', async () => {
  const path = join(here, 'short.safetensors');
  for (const length of [0, 1, 7]) {
    writeFileSync(path, new Uint8Array(length));
    expect(await codeOf(() => openSafetensors(path))).toBe('bad-safetensors');
  }
});

fault(2, 'a header of more than 100 MB is refused before it is read', async () => {
  expect(await opened('{}', 0, 100_000_001n)).toBe('bad-safetensors');
});

fault(3, 'a header longer than the file, or beyond 2^53', async () => {
  for (const claim of [3n, 2n ** 53n, 2n ** 64n - 1n])
    expect(await opened('{}', 0, claim)).toBe('bad-safetensors');
});

fault(4, 'no header, a list, null', () => allBad(['', '[]', 'null'], 0));

fault(5, 'invalid UTF-8, a byte order mark', () =>
  allBad([new Uint8Array([123, 34, 255, 34, 125]), '\ufeff{}'], 0),
);

fault(6, 'duplicate keys, also through escapes', () =>
  allBad(
    [`{"a":${ONE},"a":${tensor('[2]', '[8,16]')}}`, `{"a":${ONE},"\\u0061":${tensor('[2]', '[8,16]')}}`],
    16,
  ),
);

fault(7, 'metadata that is not text is refused, {} is fine', async () => {
  await allBad(['{"__metadata__":{"a":1}}', '{"__metadata__":null}'], 0);
  expect(await opened('{"__metadata__":{}}')).toBe('ok');
});

fault(8, 'names: __proto__ is a name, NUL is refused, huge ones are bounded', async () => {
  using found = openSafetensors(file(`{"__proto__":${ONE}}`, 8));
  expect([...found.tensors.keys()]).toEqual(['__proto__']);
  expect(({} as Record<string, unknown>).dtype).toBeUndefined();
  await allBad([`{"a\\u0000":${ONE}}`]);
  const message = await faultOf(() => openSafetensors(file(`{"${'x'.repeat(1_000_000)}":${ONE}}`, 9)));
  expect(message.length).toBeLessThan(1000);
});

fault(9, 'holes, overlaps, reversed ranges, trailing bytes', async () => {
  await allBad([`{"a":${ONE},"b":${tensor('[2]', '[12,20]')}}`], 20);
  await allBad([`{"a":${ONE},"b":${tensor('[2]', '[4,12]')}}`], 12);
  await allBad([`{"a":${tensor('[2]', '[8,0]')}}`]);
  await allBad([`{"a":${ONE}}`], 9);
});

fault(10, 'offsets 8.0, -1, "8", 8e0', () =>
  allBad(['[0,8.0]', '[-1,7]', '[0,"8"]', '[0,8e0]'].map(offsets => `{"a":${tensor('[2]', offsets)}}`)),
);

fault(11, 'the product of a shape overflows', () =>
  allBad(['[4294967296,4294967296]', '[9007199254740991]'].map(shape => `{"a":${tensor(shape, '[0,8]')}}`)),
);

fault(12, 'size is not shape times type', () => allBad([`{"a":${tensor('[3]', '[0,8]')}}`]));

fault(13, 'unknown types and those below a byte are named', async () => {
  await allBad([`{"a":${tensor('[2]', '[0,8]', '"F99"')}}`], 8, 'unsupported-dtype');
  expect(await faultOf(() => openSafetensors(file(`{"a":${tensor('[2]', '[0,1]', '"F4"')}}`, 1)))).toContain(
    'F4',
  );
});

fault(14, 'a padded header, white space in front too, is accepted', async () => {
  for (const header of [`{"a":${ONE}}    \n`, `  \n {"a":${ONE}}`])
    expect(await opened(header, 8)).toBe('ok');
});

fault(15, 'rank 0 and zero elements are accepted', async () => {
  expect(await opened(`{"a":${tensor('[]', '[0,4]')}}`, 4)).toBe('ok');
  expect(await opened(`{"a":${tensor('[0,7]', '[0,0]')},"b":${ONE}}`, 8)).toBe('ok');
});

fault(16, 'many entries are read in bounded time', () => {
  const count = 200_000;
  const entries = Array.from(
    { length: count },
    (_, i) => `"t${i}":${tensor('[1]', `[${4 * i},${4 * i + 4}]`)}`,
  );
  const path = file(`{${entries.join(',')}}`, 4 * count);
  const started = performance.now();
  using found = openSafetensors(path);
  expect(found.tensors.size).toBe(count);
  expect(performance.now() - started).toBeLessThan(20_000);
});

fault(17, 'NaN and infinite weights are counted, training is refused', async () => {
  const run = tiny();
  const path = join(run.folder, 'model/model.safetensors');
  const tensors = new Map<string, TensorData>();
  {
    using weights = openSafetensors(path);
    for (const [name, { dtype, shape }] of weights.tensors)
      tensors.set(name, { dtype, shape, data: weights.read(name) });
  }
  const norm = new Float32Array(32).fill(1);
  norm.set([Number.NaN, Number.POSITIVE_INFINITY]);
  tensors.set('model.norm.weight', { dtype: 'F32', shape: [32], data: norm });
  writeSafetensors(path, tensors);
  expect(await faultOf(() => trial(run))).toContain('1 NaN and 1 infinite values among 32');
});

fault(18, 'data at an unaligned place is copied', () => {
  const header = `{"a":${ONE}}`;
  using found = openSafetensors(file(header.padEnd(header.length + ((5 - (header.length % 4)) % 4) + 1), 8));
  expect(found.readF32('a')).toEqual(new Float32Array(2));
});

fault(19, 'a file of 5 GB is read in ranges', () => {
  const bytes = 5 * 2 ** 30;
  const path = file(`{"a":${tensor(`[${bytes / 4}]`, `[0,${bytes}]`)}}`);
  const size = Bun.file(path).size;
  // Sparse: nothing of it is on disk.
  truncateSync(path, size + bytes);
  const before = process.memoryUsage().rss;
  using found = openSafetensors(path);
  expect(found.readF32('a', { from: bytes / 4 - 3, count: 3 })).toEqual(new Float32Array(3));
  expect(process.memoryUsage().rss - before).toBeLessThan(256 * 2 ** 20);
  rmSync(path);
});

const SHARDS = ['model-1.safetensors', 'model-2.safetensors'];

/** The tiny model in two shards; `edit` changes the map of tensors to files. */
function sharded(edit: (map: Record<string, string>, folder: string) => void): string {
  const folder = writeTinyModel(newFolder());
  const whole = openSafetensors(join(folder, 'model.safetensors'));
  const parts = SHARDS.map(() => new Map<string, TensorData>());
  const map: Record<string, string> = {};
  for (const [i, [name, { dtype, shape }]] of [...whole.tensors].entries()) {
    parts[i % 2].set(name, { dtype, shape, data: whole.read(name) });
    map[name] = SHARDS[i % 2];
  }
  whole.close();
  rmSync(join(folder, 'model.safetensors'));
  for (const [i, part] of parts.entries()) writeSafetensors(join(folder, SHARDS[i]), part);
  edit(map, folder);
  writeFileSync(join(folder, 'model.safetensors.index.json'), JSON.stringify({ weight_map: map }));
  return folder;
}

const open = (folder: string) => faultOf(() => openCheckpoint(folder).close());

fault(20, 'shards with ../, absolute names or links out of the folder', async () => {
  for (const name of ['../x.safetensors', '/x.safetensors', 'a/b.safetensors']) {
    const folder = sharded(map => {
      map['model.norm.weight'] = name;
    });
    expect(await open(folder)).toContain('unsafe-path');
  }
  const outside = writeTinyModel(newFolder());
  const linked = sharded((_, folder) => {
    rmSync(join(folder, SHARDS[0]));
    symlinkSync(join(outside, 'model.safetensors'), join(folder, SHARDS[0]));
  });
  expect(await open(linked)).toContain('unsafe-path');
});

fault(21, 'a shard is missing; a tensor is absent or in two shards: named', async () => {
  expect(await open(sharded((_, folder) => rmSync(join(folder, SHARDS[1]))))).toContain(SHARDS[1]);
  const swapped = sharded(map => {
    map['model.norm.weight'] = SHARDS.find(name => name !== map['model.norm.weight'])!;
  });
  expect(await open(swapped)).toContain('model.norm.weight');
  const twice = sharded((_, folder) => {
    const copies = new Map<string, TensorData>();
    using shard = openSafetensors(join(folder, SHARDS[0]));
    for (const [name, { dtype, shape }] of shard.tensors)
      copies.set(name, { dtype, shape, data: shard.read(name) });
    using other = openSafetensors(join(folder, SHARDS[1]));
    for (const [name, { dtype, shape }] of other.tensors)
      copies.set(name, { dtype, shape, data: other.read(name) });
    writeSafetensors(join(folder, SHARDS[1]), copies);
  });
  expect(await open(twice)).toContain('two shards');
});

fault(22, 'a file that shrinks while it is read', async () => {
  const path = file(`{"a":${ONE}}`, 8);
  using found = openSafetensors(path);
  truncateSync(path, 20);
  expect(await codeOf(() => found.readF32('a'))).toBe('short-read');
});

fault(23, 'hidden_size 0, 1e12, "64"', async () => {
  for (const hidden_size of [0, 1e12, '64', -4, 64.5, null]) {
    expect(await codeOf(() => parseConfig({ ...LLAMA, hidden_size }))).toBe('bad-config');
  }
});

fault(24, 'a token beyond the embedding is refused before the GPU would clamp it', async () => {
  const folder = writeTinyModel(newFolder());
  expect(await codeOf(() => openTokenizer(folder, TINY_VOCABULARY - 1))).toBe('token-out-of-range');
  const tokenizer = openTokenizer(folder, TINY_VOCABULARY);
  expect(await codeOf(() => tokenizer.decode([TINY_VOCABULARY]))).toBe('token-out-of-range');
});

fault(25, 'JSON of a million levels, or of a gigabyte', async () => {
  const path = join(here, 'deep.json');
  writeFileSync(path, '['.repeat(1_000_000));
  expect(await codeOf(() => readJson(path))).toBe('bad-json');
  truncateSync(path, 2 ** 30);
  expect(await codeOf(() => readJson(path))).toBe('file-too-large');
  rmSync(path);
});

fault(26, '__proto__ keys are refused, prototypes stay as they are', async () => {
  const path = join(here, 'proto.json');
  writeFileSync(path, '{"__proto__":{"polluted":1}}');
  expect(await codeOf(() => readJson(path))).toBe('bad-json');
  expect(({} as Record<string, unknown>).polluted).toBeUndefined();
});

/** The tiny tokenizer with parts of its file replaced. */
function tokenizerWith(change: (json: Record<string, Record<string, unknown>>) => void): string {
  const folder = writeTinyModel(newFolder());
  const path = join(folder, 'tokenizer.json');
  const json = readJson(path) as Record<string, Record<string, unknown>>;
  change(json);
  writeFileSync(path, JSON.stringify(json));
  return folder;
}

fault(27, 'a tokenizer pattern that could take exponential time', async () => {
  const folder = tokenizerWith(json => {
    json.pre_tokenizer = { type: 'Split', pattern: { Regex: '(a+)+$' }, behavior: 'Isolated' };
  });
  expect(await codeOf(() => openTokenizer(folder, TINY_VOCABULARY))).toBe('unsafe-tokenizer');
});

fault(28, 'duplicate ids and merges of nothing', async () => {
  const twice = tokenizerWith(json => {
    json.model.vocab = { ...(json.model.vocab as object), zz: 5 };
  });
  expect(await codeOf(() => openTokenizer(twice, TINY_VOCABULARY))).toBe('bad-tokenizer');
  const merges = tokenizerWith(json => {
    json.model.merges = ['zz yy'];
  });
  expect(await codeOf(() => openTokenizer(merges, TINY_VOCABULARY))).toBe('bad-tokenizer');
});

const RECORD = '{"prompt":"a","completion":"b"}';

function data(content: string | Uint8Array): string {
  const path = join(here, 'data.jsonl');
  writeFileSync(path, content);
  return path;
}

fault(
  29,
  'byte order mark and CRLF are fine; bad bytes, half surrogates, long and cut lines have a line number',
  async () => {
    expect(readDataset([data(`\ufeff${RECORD}\r\n${RECORD}`)]).records.length).toBe(2);
    const bad = [
      '{oops}',
      '{"prompt":"\\ud800","completion":"b"}',
      `"${'a'.repeat(LONGEST_LINE)}"`,
      RECORD.slice(0, 20),
    ];
    for (const line of bad)
      expect(await faultOf(() => readDataset([data(`${RECORD}\n${line}`)]))).toContain('line 2 of');
    const bytes = new TextEncoder().encode(`${RECORD}\n`);
    expect(await faultOf(() => readDataset([data(new Uint8Array([...bytes, 255]))]))).toContain('line 2 of');
  },
);

const samplesOf = (content: string, length = 16) => {
  const tokenizer = openTokenizer(writeTinyModel(newFolder()), TINY_VOCABULARY);
  const block = {
    paths: [data(content)],
    baseDir: '.',
    format: 'auto',
    validation: 0,
    loss: 'response',
    length,
  } as const;
  return loadTrainingData({ ...block, paths: [...block.paths] }, tokenizer, 0);
};

fault(30, 'no data, or no token to learn: an error and no division by zero', async () => {
  for (const content of ['', '\n\n', '[]']) expect(await codeOf(() => samplesOf(content))).toBe('no-data');
  expect(await codeOf(() => samplesOf('{"prompt":"abcdefghijklmnopqrstu","completion":"b"}'))).toBe(
    'no-labels',
  );
});

fault(31, 'samples that are too long are cut and counted', () => {
  const { truncated, train } = samplesOf(`${RECORD}\n{"prompt":"a","completion":"${'b'.repeat(50)}"}`);
  expect([truncated, Math.max(...train.map(s => s.ids.length))]).toEqual([1, 16]);
  expect(batchStream(train, 2, 0).next().tokens).toBeLessThanOrEqual(32);
});

fault(32, 'data that changed: resuming is refused', async () => {
  const run = tiny();
  const { out } = await trial(run, { steps: 3 });
  writeTinyData(join(run.folder, 'data.jsonl'), 24, 2);
  expect(await faultOf(() => trial(run, { out, resume: true }))).toStartWith(
    'resume-mismatch: the training data has changed',
  );
});
