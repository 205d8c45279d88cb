/** gram.forward and gram.backward against the float64 reference, all experts of a plan in one dispatch. */
import { expect } from 'bun:test';
import {
  gramBackward as backwardReference,
  gramForward as forwardReference,
} from '../../kernels/gram/reference.ts';
import { gramBackward, gramForward } from '../../kernels/gram/spec.ts';
import { gpuTest, relativeError, runKernel } from '../gpu/harness.ts';
import { noiseSource } from './gains_site.ts';

/** Blocks of B with one or several experts side by side; the last expert's G has more entries than a workgroup lanes. */
const blocks = [
  { ld: 4, rows: 1, ranks: [4] },
  { ld: 20, rows: 37, ranks: [4, 5, 8] },
  { ld: 8, rows: 515, ranks: [1, 2, 3] },
  { ld: 40, rows: 130, ranks: [36] },
];

const random = noiseSource(9);
let size = 3;
let gramSize = 0;
const experts = blocks.flatMap(({ ld, rows, ranks }) => {
  const offset = size;
  size += ld * rows;
  return ranks.map((rank, i) => {
    const column = ranks.slice(0, i).reduce((sum, r) => sum + r, 0);
    gramSize += rank * rank;
    return { offset, ld, column, rank, rows, gram: gramSize - rank * rank };
  });
});
const params = Float32Array.from({ length: size }, random);
const table = Uint32Array.from(
  experts.flatMap(x => [x.offset, x.ld, x.column, x.rank, x.rows, x.gram, 0, 0]),
);

gpuTest('gram.forward', async () => {
  const { gram } = await runKernel(
    gramForward,
    { EXPERTS: experts.length },
    { params, table, gram: new Float32Array(gramSize) },
    { workgroups: [experts.length] },
  );
  let worst = 0;
  for (const x of experts) {
    const ref = forwardReference(x, params.subarray(x.offset));
    worst = Math.max(worst, relativeError(gram.subarray(x.gram, x.gram + ref.length), ref));
  }
  console.log(`  gram.forward: ${worst.toExponential(1)}`);
  expect(worst).toBeLessThan(1e-6);
});

gpuTest('gram.backward', async () => {
  const gram_grad = Float32Array.from({ length: gramSize }, random);
  for (const { rank, gram } of experts) {
    for (let i = 0; i < rank; i++)
      for (let j = 0; j < i; j++) gram_grad[gram + i * rank + j] = gram_grad[gram + j * rank + i];
  }
  const before = Float32Array.from({ length: size }, random);
  const { grads } = await runKernel(
    gramBackward,
    { EXPERTS: experts.length },
    { params, table, gram_grad, grads: before },
    { workgroups: [Math.ceil(515 / 256), experts.length] },
  );
  const ref = Float64Array.from(before);
  for (const x of experts) {
    backwardReference(x, params.subarray(x.offset), gram_grad.subarray(x.gram)).forEach((v, i) => {
      ref[x.offset + Math.floor(i / x.rank) * x.ld + x.column + (i % x.rank)] += v;
    });
  }
  const error = relativeError(grads, ref);
  console.log(`  gram.backward: ${error.toExponential(1)}`);
  expect(error).toBeLessThan(1e-6);
});
