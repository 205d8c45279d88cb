import { expect, test } from 'bun:test';
import { crossEntropyRows as reference } from '../../kernels/cross_entropy/reference.ts';
import { crossEntropyRows } from '../../kernels/cross_entropy/spec.ts';
import { gpuTest, runKernel } from '../gpu/harness.ts';
import { expectClose, expectGradient, expectZeroPadding, generator, randomMatrix } from './numbers.ts';

const ALL = 0xffffffff;
const site = (rowStart: number, rowLimit: number) => Uint32Array.of(0, rowStart, rowLimit, 0);
const floats = (n: number) => new Float32Array(n);

test('the reference gradient agrees with differences', () => {
  const p = { VOCAB: 5, LD: 5 };
  const labels = [4, 0, 2];
  const logits = randomMatrix(1, 3, 5, 5, 2);
  // Differences of each row's loss, weighted alike: expectGradient weighs rows by dy.
  expectGradient(
    logits,
    v => reference(p, labels, v, 1).loss,
    dy => reference(p, labels, logits, 1).dlogits.map((d, i) => d * dy[Math.floor(i / 5)]),
  );
});

for (const [rows, VOCAB, LD, scale] of [
  [37, 886, 888, 5],
  [129, 301, 320, 20],
  [1, 5, 8, 1],
  [6, 2051, 2052, 1e4],
]) {
  gpuTest(`cross_entropy ${rows}×${VOCAB}, logits up to ${scale}`, async () => {
    const random = generator(71);
    const logits = randomMatrix(72, rows, VOCAB, LD, scale);
    const labels = Uint32Array.from({ length: rows }, () => Math.floor(random() * VOCAB));
    labels[0] = VOCAB - 1;
    // All equal, and one so sure of the label that its loss is nearly nothing.
    if (rows > 2) logits.fill(scale, LD, LD + VOCAB);
    if (rows > 2) logits[2 * LD + labels[2]] = scale + 30;
    // Whatever stands in the padding columns must not matter.
    for (let r = 0; r < rows; r++) for (let c = VOCAB; c < LD; c++) logits[r * LD + c] = 1e5;
    const want = reference({ VOCAB, LD }, labels, logits, 1 / 37);
    const options = { frame: { targets: rows, loss_scale: 1 / 37 }, workgroups: [rows] as [number] };
    const got = await runKernel(
      crossEntropyRows,
      { VOCAB, LD, EMIT_GRADIENT: true },
      { site: site(0, ALL), labels, logits, loss: floats(rows) },
      options,
    );
    expectClose('cross_entropy loss', got.loss, want.loss);
    expectClose('cross_entropy gradient', got.logits, want.dlogits);
    expectZeroPadding(got.logits, VOCAB, LD);

    const evaluated = await runKernel(
      crossEntropyRows,
      { VOCAB, LD, EMIT_GRADIENT: false },
      { site: site(0, ALL), labels, logits, loss: floats(rows) },
      options,
    );
    expect(evaluated.loss).toEqual(got.loss);
    expect(evaluated.logits).toEqual(logits);
  });
}

gpuTest(
  'cross_entropy of chunks is that of the whole; the last chunk is shorter, one past the end empty',
  async () => {
    const p = { VOCAB: 301, LD: 304 };
    const [rows, chunk] = [37, 16];
    const logits = randomMatrix(73, rows, p.VOCAB, p.LD, 3);
    const random = generator(74);
    const labels = Uint32Array.from({ length: rows }, () => Math.floor(random() * p.VOCAB));
    const want = reference(p, labels, logits, 1);
    for (const start of [0, 16, 32, 48]) {
      const own = floats(chunk * p.LD);
      own.set(logits.subarray(Math.min(start, rows) * p.LD, Math.min(start + chunk, rows) * p.LD));
      const got = await runKernel(
        crossEntropyRows,
        { ...p, EMIT_GRADIENT: true },
        { site: site(start, chunk), labels, logits: own, loss: floats(rows) },
        { frame: { targets: rows }, workgroups: [chunk] },
      );
      for (let r = 0; r < rows; r++) {
        if (r < start || r >= start + chunk) expect(got.loss[r]).toBeNaN();
        else expect(got.loss[r]).toBeCloseTo(want.loss[r], 5);
      }
      const used = Math.max(0, Math.min(chunk, rows - start));
      const part = [start * p.LD, (start + used) * p.LD] as const;
      if (used > 0)
        expectClose(`chunk at ${start}`, got.logits.subarray(0, used * p.LD), want.dlogits.subarray(...part));
      expect(got.logits.subarray(used * p.LD)).toEqual(own.subarray(used * p.LD));
    }
  },
);
