/** The chain gram → gains → statistics → gradients on the device, against the golden arrays; GEMMs in float64 here. */
import { describe, expect } from 'bun:test';
import { gainsBackward, gainsForward, gainsReduce } from '../../kernels/gains/spec.ts';
import { gramForward } from '../../kernels/gram/spec.ts';
import { routingStats } from '../../kernels/routing/spec.ts';
import { gpuTest, relativeError, runKernel } from '../gpu/harness.ts';
import { type Golden, goldenAdapters, outerTensors, type RankSpace } from './golden_adapters.ts';
import { spacesOf, withoutModule } from './library_spaces.ts';

const align4 = (value: number) => Math.ceil(value / 4) * 4;

async function runChain(golden: Golden) {
  const { adapter, rank, tokens, d_in, d_out, tensors } = golden;
  const count = adapter.experts.length;
  const each = adapter.experts.map((_, e) => e);
  const ldS = align4(count * rank);
  const ldZ = align4(ldS + count);
  const ldDz = align4(ldZ + 1 + 4 * count);
  const ldRoute = align4(3 * count + 2);
  const z = new Float32Array(tokens * ldZ);
  const h = new Float32Array(tokens * ldS);
  golden.tokenInputs.forEach((token, t) => {
    z.set(token.z.flat(), t * ldZ);
    z.set(token.logits, t * ldZ + ldS);
    h.set(golden.h[t].flat(), t * ldS);
  });
  const radius = Float32Array.from(golden.tokenInputs, token => token.radius);
  const geometry = new Float32Array(32 * count);
  adapter.experts.forEach(({ theta }, e) => {
    geometry[32 * e] = theta;
  });

  const b = Float32Array.from(each.flatMap(e => [...tensors.get(`experts.${e}.B`)!]));
  const table = Uint32Array.from(
    each.flatMap(e => [e * d_out * rank, rank, 0, rank, d_out, e * rank * rank, 0, 0]),
  );
  const { gram } = await runKernel(
    gramForward,
    { EXPERTS: count },
    { params: b, table, gram: new Float32Array(count * rank * rank) },
    { workgroups: [count] },
  );

  const params = {
    ADAPTERS: 1,
    EXPERTS: count,
    MAX_ROWS: 1,
    MAX_RANK: rank,
    MAX_EXPERTS: count,
    LD_Z: ldZ,
    LD_S: ldS,
    LD_DZ: ldDz,
    LD_ROUTE: ldRoute,
    EXTRA_COLUMN: ldZ,
    EXPERT_START: [0, count],
    HAS_ROUTER: [count > 1 ? 1 : 0],
    ROUTER_COLUMN: [ldS],
    TOP_K: [adapter.topK],
    RENORM: [adapter.renorm ? 1 : 0],
    AUX: [adapter.topK < count ? adapter.aux : 0],
    ...spacesOf(adapter.experts),
    Z_COLUMN: each.map(e => e * rank),
    RANK: each.map(() => rank),
    SCALE: adapter.experts.map(x => x.scale),
    LEARN_SCALE: each.map(() => 0),
    INV_SIGMA2: each.map(() => 1 / d_in),
    GRAM_OFFSET: each.map(e => e * rank * rank),
    PARAM_OFFSET: each.map(e => 32 * e),
  };
  const options = {
    frame: { tokens, training: 1 },
    workgroups: [Math.ceil(tokens / 64), 1] as [number, number],
  };
  const { s, routing } = await runKernel(
    gainsForward,
    params,
    {
      site: new Uint32Array(4),
      z,
      radius,
      gram,
      geometry,
      slot_scale: Float32Array.of(1),
      row_of: new Uint32Array(tokens),
      s: new Float32Array(tokens * ldS),
      routing: new Float32Array(tokens * ldRoute),
    },
    options,
  );
  const routes = Uint32Array.of(0, ldRoute, 0, count, adapter.topK, 0, 0, 0);
  const { stats } = await runKernel(
    routingStats,
    {},
    { routing, table: routes, stats: new Float32Array(64) },
    { ...options, workgroups: [1] },
  );
  const { dz } = await runKernel(
    gainsBackward,
    params,
    { z, radius, gram, geometry, h, routing, stats, dz: new Float32Array(tokens * ldDz) },
    options,
  );
  const { gram_grad, geometry_grad } = await runKernel(
    gainsReduce,
    withoutModule(params),
    { z, dz, gram_grad: new Float32Array(gram.length), geometry_grad: new Float32Array(geometry.length) },
    { ...options, workgroups: [count + 1] },
  );

  const row = (from: ArrayLike<number>, start: number, length: number) =>
    Array.from({ length }, (_, i) => from[start + i]);
  const perToken = <T>(of: (t: number) => T) => Array.from({ length: tokens }, (_, t) => of(t));
  const inner: RankSpace = {
    s: perToken(t => each.map(e => row(s, t * ldS + e * rank, rank))),
    dz: perToken(t => each.map(e => row(dz, t * ldDz + e * rank, rank))),
    dlogits: perToken(t => row(dz, t * ldDz + ldS, count)),
    radial: perToken(t => dz[t * ldDz + ldZ]),
    c: each.map(e => row(gram_grad, e * rank * rank, rank * rank)),
    dtheta: each.map(e => geometry_grad[32 * e]),
  };
  const outer = outerTensors(golden, inner);
  outer.set('probs', Float64Array.from(perToken(t => row(routing, t * ldRoute, count)).flat()));
  outer.set('gates', Float64Array.from(perToken(t => row(routing, t * ldRoute + count, count)).flat()));
  if (golden.router !== 'soft') {
    outer.set('aux', Float64Array.of(count * each.reduce((sum, e) => sum + stats[e] * stats[count + e], 0)));
  }
  return outer;
}

describe('kernels against the golden arrays', () => {
  for (const golden of goldenAdapters()) {
    gpuTest(golden.name, async () => {
      const errors = [...(await runChain(golden))].map(
        ([name, value]) => [name, relativeError(value, golden.tensors.get(name)!)] as const,
      );
      console.log(
        `  ${golden.name}: ${errors.map(([name, e]) => `${name} ${e.toExponential(1)}`).join(', ')}`,
      );
      for (const [name, e] of errors) {
        if (!(e < (name.startsWith('grad.') ? 1e-5 : 2e-6))) throw new Error(`${name}: relative error ${e}`);
      }
      expect(errors.length).toBeGreaterThan(0);
    });
  }
});
