/** Reference adapters alone: Δy, gates, balance loss and every gradient of Σ y·dy + aux · balance. */
import { join } from 'node:path';
import { z } from 'zod';
import { compileAdapter } from '../../compiler/adapter.ts';
import type { Compiled } from '../../compiler/index.ts';
import { readJson } from '../model/files.ts';
import { openSafetensors, type SafetensorsFile } from '../model/safetensors.ts';
import type { Executor } from '../runtime/executor.ts';
import { extract, insert, parameterFloats } from '../runtime/parameters.ts';
import { EVALUATION, switchAdapters } from '../runtime/session.ts';
import { balanceLoss, STATS_FLOATS } from '../runtime/telemetry.ts';
import { openCase } from './open.ts';
import {
  adapterBlock,
  bareProgram,
  expertOf,
  expertSchema,
  gateSchema,
  routerOf,
  routerSchema,
} from './program.ts';
import { Comparison, type Row, TOLERANCE } from './report.ts';

/** The only module of a case. */
const MODULE = 'layer';

const caseSchema = z.object({
  name: z.string().regex(/^[\w.-]+$/),
  d_in: z.int(),
  d_out: z.int(),
  rank: z.int(),
  tokens: z.int(),
  alpha: z.number(),
  aux_coefficient: z.number(),
  router: routerSchema,
  gate: gateSchema,
  experts: z.array(expertSchema).min(1),
});
export type AdapterCase = z.infer<typeof caseSchema>;

export const adapterCases = (folder: string): AdapterCase[] =>
  z.array(caseSchema).parse(readJson(join(folder, 'index.json')));

/** The adapter of a case, alone on a linear layer. */
export function compileCase(one: AdapterCase): Compiled {
  const { rank, alpha, tokens } = one;
  const module = { path: MODULE, in: one.d_in, out: one.d_out, bias: false };
  const block = adapterBlock({
    target: module.path,
    rank,
    alpha,
    experts: one.experts.map(e => expertOf(e, rank)),
    router: routerOf(one.router, one.gate, one.aux_coefficient, one.experts.length),
  });
  return compileAdapter(block, module, tokens, bareProgram('', [], {}, tokens).train);
}

/** What the files of cases call a parameter. */
export const nameInCase = (parameter: string): string =>
  parameter.replace(`${MODULE}.`, '').replace(/^router$/, 'R');

export async function verifyAdapters(folder: string): Promise<Row[]> {
  const rows: Row[] = [];
  for (const one of adapterCases(folder)) {
    const file = openSafetensors(join(folder, `${one.name}.safetensors`));
    try {
      rows.push(...(await verifyAdapter(one, file)));
    } finally {
      file.close();
    }
  }
  return rows;
}

async function verifyAdapter(one: AdapterCase, file: SafetensorsFile): Promise<Row[]> {
  const { tokens } = one;
  const compiled = compileCase(one);
  const { plan } = compiled;
  const { opened, executor } = await openCase(compiled, () =>
    Promise.reject(new Error('bug: an adapter alone has no base')),
  );
  const comparison = new Comparison(one.name);
  try {
    const flat = new Float32Array(parameterFloats(plan));
    for (const p of plan.parameters) insert(flat, p, file.readF64(nameInCase(p.name)));
    executor.write('params', flat);
    switchAdapters(executor, new Set(plan.slots));
    const ldX = bytesOf(plan, 'x') / 4 / tokens;
    const ldY = bytesOf(plan, 'y') / 4 / tokens;
    executor.write('x', pad(file.readF64('x'), one.d_in, ldX));
    executor.write('dy', pad(file.readF64('dy'), one.d_out, ldY));
    executor.clear('grads', 'row');
    await executor.run(
      ['refresh', 'adapter.forward', 'adapter.backward'],
      { tokens, targets: 0, rows: 1 },
      EVALUATION,
    );
    const [y, dx, gradients, stats] = await Promise.all([
      executor.read('y', tokens * ldY),
      executor.read('dx', tokens * ldX),
      executor.read('grads', flat.length),
      executor.read('stats', STATS_FLOATS),
    ]);
    comparison.check('y', crop(y, one.d_out, ldY), file.readF64('y'), TOLERANCE.value);
    await compareRouting(comparison, one, executor, file);
    // the balance loss without its coefficient; a single expert or a soft router has no coefficient to divide by
    if (plan.sites[0].aux > 0)
      comparison.check(
        'aux',
        [balanceLoss(plan, stats) / plan.sites[0].aux],
        file.readF64('aux'),
        TOLERANCE.value,
      );
    comparison.check('grad.x', crop(dx, one.d_in, ldX), file.readF64('grad.x'), TOLERANCE.gradient);
    for (const p of plan.parameters) {
      const name = `grad.${nameInCase(p.name)}`;
      comparison.check(
        name,
        extract(gradients, p),
        file.readF64(name),
        p.kind === 'curvature' ? TOLERANCE.curvature : TOLERANCE.gradient,
      );
    }
  } finally {
    executor.close();
    opened.close();
  }
  return comparison.rows;
}

/** Routing records: P, gates, guards per expert, slot scale, log-sum-exp (kernels/README.md). */
async function compareRouting(
  comparison: Comparison,
  one: AdapterCase,
  executor: Executor,
  file: SafetensorsFile,
): Promise<void> {
  const count = one.experts.length;
  const ld = Math.ceil((3 * count + 2) / 4) * 4;
  const records = await executor.read('routing', one.tokens * ld);
  const columns = (first: number) =>
    Float64Array.from(
      { length: one.tokens * count },
      (_, i) => records[Math.floor(i / count) * ld + first + (i % count)],
    );
  comparison.check('probs', columns(0), file.readF64('probs'), TOLERANCE.value);
  comparison.check('gates', columns(count), file.readF64('gates'), TOLERANCE.value);
}

const bytesOf = (plan: Executor['plan'], name: string): number =>
  plan.buffers.find(b => b.name === name)!.bytes;

function pad(values: ArrayLike<number>, width: number, ld: number): Float32Array {
  const rows = values.length / width;
  const out = new Float32Array(rows * ld);
  for (let r = 0; r < rows; r++) for (let c = 0; c < width; c++) out[r * ld + c] = values[r * width + c];
  return out;
}

function crop(values: Float32Array, width: number, ld: number): Float32Array {
  const rows = values.length / ld;
  const out = new Float32Array(rows * width);
  for (let r = 0; r < rows; r++) out.set(values.subarray(r * ld, r * ld + width), r * width);
  return out;
}
