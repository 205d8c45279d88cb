import { expect, test } from 'bun:test';
import { kernel } from '../../kernels/index.ts';
import {
  rmsnormBackward as referenceBackward,
  rmsnormForward as referenceForward,
} from '../../kernels/rmsnorm/reference.ts';
import { RMSNORM_ROWS } from '../../kernels/rmsnorm/spec.ts';
import { gpuTest, runKernel } from '../gpu/harness.ts';
import { expectClose, expectGradient, expectZeroPadding, randomMatrix } from './numbers.ts';

const floats = (n: number) => new Float32Array(n);

test('the reference gradient agrees with differences', () => {
  const p = { WIDTH: 5, LD: 8, EPS: 1e-3 };
  const weight = randomMatrix(1, 1, 5, 8);
  const x = randomMatrix(2, 3, 5, 8);
  const addend = randomMatrix(3, 3, 5, 8);
  const forward = (v: Float64Array) => referenceForward(p, v, weight).out;
  expectGradient(x, forward, dy => referenceBackward(p, x, weight, dy));
  const zero = referenceBackward(p, x, weight, floats(24), addend);
  expect(Array.from(zero)).toEqual(Array.from(addend));
});

const cases = [
  [1, 128, 128],
  [37, 301, 320],
  [129, 24, 24],
  [5, 1030, 1032],
].flatMap(shape => [
  { shape, suffix: '', rowsOfGroup: RMSNORM_ROWS.alone },
  { shape, suffix: '_shared', rowsOfGroup: RMSNORM_ROWS.shared },
]);
for (const {
  shape: [rows, WIDTH, LD],
  suffix,
  rowsOfGroup,
} of cases) {
  gpuTest(`rmsnorm${suffix} ${rows}×${WIDTH} in ${LD} columns`, async () => {
    const rmsnormForward = kernel(`rmsnorm.forward${suffix}`);
    const rmsnormBackward = kernel(`rmsnorm.backward${suffix}`);
    const workgroups: [number] = [Math.ceil(rows / rowsOfGroup)];
    const p = { WIDTH, LD, EPS: 1e-5 };
    const x = randomMatrix(11, rows, WIDTH, LD, 3);
    x.fill(0, 0, LD);
    if (rows > 2) for (let c = 0; c < WIDTH; c++) x[LD + c] *= 1e-6;
    if (rows > 2) for (let c = 0; c < WIDTH; c++) x[2 * LD + c] *= 1e4;
    const weight = randomMatrix(12, 1, WIDTH, LD).map(v => (v === 0 ? 0 : v + 1));
    const onTargets = rows === 37;
    const frame = onTargets ? { targets: rows } : { tokens: rows };
    const shape = { WIDTH, LD, ROWS_ARE_TARGETS: onTargets };
    const want = referenceForward(p, x, weight);
    const got = await runKernel(
      rmsnormForward,
      { ...shape, EPS: p.EPS },
      { x, weight, out: floats(rows * LD), inv_rms: floats(rows) },
      { frame, workgroups },
    );
    expectClose('rmsnorm.forward out', got.out, want.out);
    expectClose('rmsnorm.forward inv_rms', got.inv_rms, want.inv_rms);
    expectZeroPadding(got.out, WIDTH, LD);
    expect(got.out.subarray(0, LD).every(v => v === 0)).toBe(true);

    const residual = randomMatrix(15, rows, WIDTH, LD);
    const joined = await runKernel(
      rmsnormForward,
      { ...shape, EPS: p.EPS, HAS_RESIDUAL: true },
      { x, weight, residual, out: floats(rows * LD), inv_rms: floats(rows) },
      { frame, workgroups },
    );
    expectClose('rmsnorm.forward joined', joined.out, referenceForward(p, x, weight, residual).out);

    const dy = randomMatrix(13, rows, WIDTH, LD);
    const addend = randomMatrix(14, rows, WIDTH, LD);
    for (const HAS_ADDEND of [false, true]) {
      const inputs = {
        x,
        weight,
        inv_rms: Float32Array.from(want.inv_rms),
        dy,
        ...(HAS_ADDEND ? { addend } : {}),
      };
      const back = await runKernel(
        rmsnormBackward,
        { ...shape, HAS_ADDEND },
        { ...inputs, dx: floats(rows * LD) },
        { frame, workgroups },
      );
      const dx = referenceBackward(p, x, weight, dy, HAS_ADDEND ? addend : undefined);
      // Row by row: the zero row's gradient is 1/√EPS times larger than the others.
      for (let r = 0; r < rows; r++) {
        const row = [r * LD, (r + 1) * LD] as const;
        if (r < 4) expectClose(`rmsnorm.backward row ${r}`, back.dx.subarray(...row), dx.subarray(...row));
      }
      expectClose('rmsnorm.backward', back.dx, dx);
      expectZeroPadding(back.dx, WIDTH, LD);
    }
  });
}

gpuTest('rmsnorm of no rows writes nothing', async () => {
  const buffers = { x: floats(8), weight: floats(8), out: floats(8), inv_rms: floats(1) };
  const got = await runKernel(kernel('rmsnorm.forward'), { WIDTH: 8, LD: 8 }, buffers, {
    frame: { tokens: 0 },
    workgroups: [1],
  });
  expect([...got.out, ...got.inv_rms].every(Number.isNaN)).toBe(true);
});
