import { expect, test } from 'bun:test';
import {
  swigluBackward as referenceBackward,
  swigluForward as referenceForward,
} from '../../kernels/swiglu/reference.ts';
import { swigluBackward, swigluForward } from '../../kernels/swiglu/spec.ts';
import { gpuTest, runKernel } from '../gpu/harness.ts';
import { expectClose, expectGradient, expectZeroPadding, randomMatrix } from './numbers.ts';

const floats = (n: number) => new Float32Array(n);

/** Gate and up of `width` columns each, up from `upColumn`, zeros elsewhere. */
function gateUp(
  seed: number,
  rows: number,
  width: number,
  upColumn: number,
  ld: number,
  scale: number,
): Float32Array {
  const x = floats(rows * ld);
  for (const [part, start] of [0, upColumn].entries()) {
    const values = randomMatrix(seed + part, rows, width, width, scale);
    for (let r = 0; r < rows; r++) x.set(values.subarray(r * width, (r + 1) * width), r * ld + start);
  }
  return x;
}

test('the reference gradient agrees with differences', () => {
  const x = gateUp(1, 3, 5, 8, 20, 3);
  const masked = (g: Float64Array) => g.map((v, i) => (x[i] === 0 ? 0 : v));
  for (const GELU of [false, true]) {
    const p = { WIDTH: 5, LD_IN: 20, UP_COLUMN: 8, LD_OUT: 8, GELU };
    expectGradient(
      x,
      v => referenceForward(p, v),
      dy => masked(referenceBackward(p, x, dy)),
    );
  }
});

for (const [rows, WIDTH, UP_COLUMN, LD_IN, LD_OUT, scale, gelu] of [
  [37, 301, 304, 640, 320, 3, 1],
  [5, 24, 32, 60, 24, 1e4, 1],
  [37, 301, 304, 640, 320, 4],
  [129, 24, 32, 60, 24, 30],
  [1, 300, 300, 600, 300, 1e4],
]) {
  gpuTest(`${gelu ? 'geglu' : 'swiglu'} ${rows}×${WIDTH}, gates up to ${scale}`, async () => {
    const p = { WIDTH, LD_IN, UP_COLUMN, LD_OUT, GELU: gelu === 1 };
    const x = gateUp(21, rows, WIDTH, UP_COLUMN, LD_IN, scale);
    const frame = { tokens: rows };
    const { out } = await runKernel(
      swigluForward,
      p,
      { gate_up: x, out: floats(rows * LD_OUT) },
      { frame, workgroups: [Math.ceil(LD_OUT / 4 / 64), rows] },
    );
    expectClose('swiglu.forward', out, referenceForward(p, x));
    expectZeroPadding(out, WIDTH, LD_OUT);

    const dy = randomMatrix(23, rows, WIDTH, LD_OUT);
    const { dgate_up } = await runKernel(
      swigluBackward,
      p,
      { gate_up: x, dy, dgate_up: floats(rows * LD_IN) },
      { frame, workgroups: [Math.ceil(LD_IN / 4 / 64), rows] },
    );
    const want = referenceBackward(p, x, dy);
    expectClose('swiglu.backward', dgate_up, want);
    for (let i = 0; i < want.length; i++) {
      const column = i % LD_IN;
      const padding = (column >= WIDTH && column < UP_COLUMN) || column >= UP_COLUMN + WIDTH;
      if (padding) expect(dgate_up[i]).toBe(0);
    }
  });
}
