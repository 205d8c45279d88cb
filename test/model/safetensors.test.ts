/** Damaged files end in one readable fault; whole ones survive a round trip to the bit. */
import { afterAll, describe, expect, test } from 'bun:test';
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { openSafetensors, type TensorData, writeSafetensors } from '../../src/model/safetensors.ts';
import { codeOf } from '../fault-of.ts';

const folder = mkdtempSync(join(tmpdir(), 'mos-safetensors-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** A file from header text (or bytes) and a number of data bytes. */
function write(header: string | Uint8Array, dataBytes: number, claim?: bigint): string {
  const bytes = typeof header === 'string' ? new TextEncoder().encode(header) : header;
  const file = new Uint8Array(8 + bytes.length + dataBytes);
  new DataView(file.buffer).setBigUint64(0, claim ?? BigInt(bytes.length), true);
  file.set(bytes, 8);
  const path = join(folder, 'file.safetensors');
  writeFileSync(path, file);
  return path;
}

const entry = (shape: string, offsets: string, dtype = '"F32"') =>
  `{"dtype":${dtype},"shape":${shape},"data_offsets":${offsets}}`;
const one = entry('[2]', '[0,8]');

const CASES: [name: string, header: string | Uint8Array, dataBytes: number, code: string, claim?: bigint][] =
  [
    ['empty object', '{}', 0, 'ok'],
    ['one tensor', `{"a":${one}}`, 8, 'ok'],
    ['empty metadata', `{"__metadata__":{},"a":${one}}`, 8, 'ok'],
    ['padding behind', `{"a":${one}}     \n`, 8, 'ok'],
    ['padding in front', `  \n {"a":${one}}`, 8, 'ok'],
    [
      'white space inside',
      `{ "a" : { "dtype" : "F32" , "shape" : [ 2 ] , "data_offsets" : [ 0 , 8 ] } }`,
      8,
      'ok',
    ],
    ['rank 0', `{"a":${entry('[]', '[0,4]')}}`, 4, 'ok'],
    ['no elements', `{"a":${entry('[0,7]', '[0,0]')},"b":${one}}`, 8, 'ok'],
    ['key order inside a tensor', '{"a":{"data_offsets":[0,8],"shape":[2],"dtype":"F32"}}', 8, 'ok'],
    ['name __proto__', `{"__proto__":${one}}`, 8, 'ok'],
    ['escaped name', `{"\\u00e4\\"b":${one}}`, 8, 'ok'],
    ['header length 0', '', 0, 'bad-safetensors'],
    ['a list', '[]', 0, 'bad-safetensors'],
    ['null', 'null', 0, 'bad-safetensors'],
    ['header longer than the file', '{}', 0, 'bad-safetensors', 3n],
    ['header above 100 MB', '{}', 0, 'bad-safetensors', 100_000_001n],
    ['header length 2^53', '{}', 0, 'bad-safetensors', 2n ** 53n],
    ['header length 2^64-1', '{}', 0, 'bad-safetensors', 2n ** 64n - 1n],
    ['byte order mark', '\ufeff{}', 0, 'bad-safetensors'],
    ['invalid UTF-8', new Uint8Array([123, 34, 0xff, 34, 125]), 0, 'bad-safetensors'],
    ['text after the brace', '{}x', 0, 'bad-safetensors'],
    ['trailing comma', `{"a":${one},}`, 8, 'bad-safetensors'],
    ['unterminated string', '{"a', 0, 'bad-safetensors'],
    ['unterminated escape', '{"a\\', 0, 'bad-safetensors'],
    ['raw line break in a name', `{"a\nb":${one}}`, 8, 'bad-safetensors'],
    ['half a surrogate pair', `{"\\ud800":${one}}`, 8, 'bad-safetensors'],
    ['duplicate tensor', `{"a":${one},"a":${entry('[2]', '[8,16]')}}`, 16, 'bad-safetensors'],
    [
      'duplicate through an escape',
      `{"a":${one},"\\u0061":${entry('[2]', '[8,16]')}}`,
      16,
      'bad-safetensors',
    ],
    ['duplicate metadata', '{"__metadata__":{},"__metadata__":{}}', 0, 'bad-safetensors'],
    ['duplicate metadata key', '{"__metadata__":{"a":"1","a":"2"}}', 0, 'bad-safetensors'],
    [
      'duplicate dtype',
      '{"a":{"dtype":"F32","dtype":"F32","shape":[2],"data_offsets":[0,8]}}',
      8,
      'bad-safetensors',
    ],
    ['number in metadata', '{"__metadata__":{"a":1}}', 0, 'bad-safetensors'],
    ['metadata null', '{"__metadata__":null}', 0, 'bad-safetensors'],
    ['NUL in a name', `{"a\\u0000":${one}}`, 8, 'bad-safetensors'],
    ['unexpected key', '{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8],"x":1}}', 8, 'bad-safetensors'],
    ['missing offsets', '{"a":{"dtype":"F32","shape":[2]}}', 8, 'bad-safetensors'],
    ['three offsets', `{"a":${entry('[2]', '[0,8,8]')}}`, 8, 'bad-safetensors'],
    ['offset 8.0', `{"a":${entry('[2]', '[0,8.0]')}}`, 8, 'bad-safetensors'],
    ['offset 8e0', `{"a":${entry('[2]', '[0,8e0]')}}`, 8, 'bad-safetensors'],
    ['offset -0', `{"a":${entry('[2]', '[-0,8]')}}`, 8, 'bad-safetensors'],
    ['offset as text', `{"a":${entry('[2]', '[0,"8"]')}}`, 8, 'bad-safetensors'],
    ['offset 08', `{"a":${entry('[2]', '[0,08]')}}`, 8, 'bad-safetensors'],
    ['offset beyond 2^53', `{"a":${entry('[2]', '[0,9007199254740993]')}}`, 8, 'bad-safetensors'],
    ['hole', `{"a":${one},"b":${entry('[2]', '[12,20]')}}`, 20, 'bad-safetensors'],
    ['hole at the start', `{"a":${entry('[2]', '[4,12]')}}`, 12, 'bad-safetensors'],
    ['overlap', `{"a":${one},"b":${entry('[2]', '[4,12]')}}`, 12, 'bad-safetensors'],
    ['reversed', `{"a":${entry('[2]', '[8,0]')}}`, 8, 'bad-safetensors'],
    ['trailing bytes', `{"a":${one}}`, 9, 'bad-safetensors'],
    ['missing bytes', `{"a":${one}}`, 7, 'bad-safetensors'],
    ['size is not shape × type', `{"a":${entry('[3]', '[0,8]')}}`, 8, 'bad-safetensors'],
    ['shape overflows', `{"a":${entry('[4294967296,4294967296]', '[0,8]')}}`, 8, 'bad-safetensors'],
    ['shape overflows by bytes', `{"a":${entry('[9007199254740991]', '[0,8]')}}`, 8, 'bad-safetensors'],
    ['unknown type', `{"a":${entry('[2]', '[0,8]', '"F99"')}}`, 8, 'unsupported-dtype'],
    ['type below a byte', `{"a":${entry('[2]', '[0,1]', '"F4"')}}`, 1, 'unsupported-dtype'],
    ['type from a prototype', `{"a":${entry('[2]', '[0,8]', '"toString"')}}`, 8, 'unsupported-dtype'],
    ['type is a number', `{"a":${entry('[2]', '[0,8]', '4')}}`, 8, 'bad-safetensors'],
  ];

describe('headers', () => {
  for (const [name, header, dataBytes, code, claim] of CASES) {
    test(name, () => {
      const path = write(header, dataBytes, claim);
      expect(codeOf(() => openSafetensors(path).close())).toBe(code);
    });
  }

  test('a file below eight bytes', () => {
    const path = join(folder, 'tiny.safetensors');
    writeFileSync(path, new Uint8Array(7));
    expect(codeOf(() => openSafetensors(path))).toBe('bad-safetensors');
  });

  test('absent files and folders', () => {
    expect(codeOf(() => openSafetensors(join(folder, 'absent')))).toBe('file-not-found');
    expect(codeOf(() => openSafetensors(folder))).toBe('unreadable-file');
  });

  test('an unknown type is named, control characters are not printed', () => {
    expect(() => openSafetensors(write(`{"a":${entry('[2]', '[0,8]', '"F8_E4M3"')}}`, 8))).toThrow('F8_E4M3');
    expect(() => openSafetensors(write(`{"a\\u001b[31m":${entry('[2]', '[0,9]')}}`, 9))).toThrow(
      'a\\u001b[31m',
    );
  });

  test('names never reach a prototype', () => {
    using file = openSafetensors(write(`{"__proto__":${one}}`, 8));
    expect([...file.tensors.keys()]).toEqual(['__proto__']);
    expect(({} as Record<string, unknown>).dtype).toBeUndefined();
  });

  test('100,000 entries are read in bounded time', () => {
    const entries = Array.from(
      { length: 100_000 },
      (_, i) => `"t${i}":${entry('[1]', `[${4 * i},${4 * i + 4}]`)}`,
    );
    const path = write(`{${entries.join(',')}}`, 400_000);
    const start = performance.now();
    using file = openSafetensors(path);
    expect(file.tensors.size).toBe(100_000);
    expect(performance.now() - start).toBeLessThan(5000);
  });

  test('any damaged byte gives a fault or a file, never another exception', () => {
    const header = new TextEncoder().encode(
      `{"__metadata__":{"format":"pt"},"a":${one},"b":${entry('[]', '[8,12]')}}`,
    );
    fc.assert(
      fc.property(fc.nat(header.length - 1), fc.nat(255), (at, byte) => {
        const damaged = header.slice();
        damaged[at] = byte;
        codeOf(() => openSafetensors(write(damaged, 12)).close());
      }),
      { numRuns: 300 },
    );
  });
});

describe('values', () => {
  const path = join(folder, 'values.safetensors');
  const tensors = new Map<string, TensorData>([
    [
      'f32',
      { dtype: 'F32', shape: [2, 2], data: new Float32Array([1, -2.5, 1e-40, Number.POSITIVE_INFINITY]) },
    ],
    ['f64', { dtype: 'F64', shape: [2], data: new Float64Array([0.1, 2 ** -1074]) }],
    ['bf16', { dtype: 'BF16', shape: [3], data: new Uint16Array([0x3f80, 0xc020, 0x7fc0]) }],
    [
      'f16',
      { dtype: 'F16', shape: [6], data: new Uint16Array([0x3c00, 0xc100, 0x0001, 0x7bff, 0xfc00, 0x8000]) },
    ],
    ['i32', { dtype: 'I32', shape: [2], data: new Int32Array([-1, 7]) }],
    ['scalar', { dtype: 'F32', shape: [], data: new Float32Array([3]) }],
    ['none', { dtype: 'F32', shape: [0, 4], data: new Float32Array(0) }],
  ]);
  writeSafetensors(path, tensors, { format: 'pt', a: '"' });

  test('every type and shape comes back', () => {
    using file = openSafetensors(path);
    expect(file.metadata.get('a')).toBe('"');
    expect([...file.readF32('f32')]).toEqual([1, -2.5, Math.fround(1e-40), Number.POSITIVE_INFINITY]);
    expect([...file.readF64('f64')]).toEqual([0.1, 2 ** -1074]);
    expect([...file.readF32('f64')]).toEqual([Math.fround(0.1), 0]);
    expect([...file.readF32('bf16')]).toEqual([1, -2.5, Number.NaN]);
    expect([...file.readF32('f16')]).toEqual([1, -2.5, 2 ** -24, 65504, Number.NEGATIVE_INFINITY, -0]);
    expect(file.readInts('i32')).toEqual([-1, 7]);
    expect([...file.readF32('scalar')]).toEqual([3]);
    expect(file.readF32('none').length).toBe(0);
    expect([...file.readF32('f16', { from: 1, count: 2 })]).toEqual([-2.5, 2 ** -24]);
    expect([...file.readF32('f32', { from: 1, count: 1 })]).toEqual([-2.5]);
  });

  test('wrong types and names', () => {
    using file = openSafetensors(path);
    expect(codeOf(() => file.readF32('i32'))).toBe('unsupported-dtype');
    expect(codeOf(() => file.readInts('f32'))).toBe('unsupported-dtype');
    expect(codeOf(() => file.read('absent'))).toBe('missing-tensor');
  });

  test('every float16 agrees with the platform', () => {
    const bits = Uint16Array.from({ length: 65536 }, (_, i) => i);
    const file = join(folder, 'halves.safetensors');
    writeSafetensors(file, new Map([['h', { dtype: 'F16' as const, shape: [65536], data: bits }]]));
    using opened = openSafetensors(file);
    const view = new DataView(bits.buffer) as DataView & { getFloat16?(at: number, little: boolean): number };
    if (!view.getFloat16) return;
    const values = opened.readF32('h');
    for (let i = 0; i < 65536; i++) expect(values[i]).toBe(view.getFloat16(2 * i, true));
  });

  test('a file that shrinks after it was opened', () => {
    const file = join(folder, 'shrinking.safetensors');
    writeSafetensors(file, tensors);
    using opened = openSafetensors(file);
    truncateSync(file, statSync(file).size - 4);
    expect(codeOf(() => opened.readF32('f16'))).toBe('short-read');
  });
});

describe('writing', () => {
  const tensor = (value: number): TensorData => ({
    dtype: 'F32',
    shape: [1],
    data: new Float32Array([value]),
  });

  test('order of insertion does not change the bytes; data is aligned', () => {
    const [a, b] = [join(folder, 'a.safetensors'), join(folder, 'b.safetensors')];
    writeSafetensors(
      a,
      new Map([
        ['x', tensor(1)],
        ['y', tensor(2)],
      ]),
      { p: '1', q: '2' },
    );
    writeSafetensors(
      b,
      new Map([
        ['y', tensor(2)],
        ['x', tensor(1)],
      ]),
      { q: '2', p: '1' },
    );
    expect(readFileSync(a)).toEqual(readFileSync(b));
    using file = openSafetensors(a);
    expect(file.headerBytes.length % 8).toBe(0);
    expect(statSync(a).mode & 0o777).toBe(0o600);
  });

  test('an old file is replaced, a link is refused, nothing is left behind', () => {
    const target = join(folder, 'target.safetensors');
    const link = join(folder, 'link.safetensors');
    writeSafetensors(target, new Map([['x', tensor(1)]]));
    writeSafetensors(target, new Map([['x', tensor(2)]]));
    symlinkSync(target, link);
    expect(codeOf(() => writeSafetensors(link, new Map([['x', tensor(3)]])))).toBe('unsafe-path');
    expect(codeOf(() => writeSafetensors(folder, new Map()))).toBe('unsafe-path');
    expect(codeOf(() => writeSafetensors(join(folder, 'absent', 'x'), new Map()))).toBe('unwritable-file');
    using file = openSafetensors(target);
    expect([...file.readF32('x')]).toEqual([2]);
    expect(readdirSync(folder).filter(name => name.includes('.tmp-'))).toEqual([]);
    expect(existsSync(join(folder, 'absent'))).toBe(false);
  });

  test('a mismatch of shape and data is a bug, not a fault', () => {
    const wrong: TensorData = { dtype: 'F32', shape: [2], data: new Float32Array(1) };
    expect(() => writeSafetensors(join(folder, 'w'), new Map([['x', wrong]]))).toThrow(
      'does not have 4 bytes',
    );
  });
});
