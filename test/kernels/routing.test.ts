/** routing.stats against the float64 reference: adapters of several sites, with different layouts, in one dispatch. */
import { expect, test } from 'bun:test';
import { routingStats as reference } from '../../kernels/routing/reference.ts';
import { routingStats } from '../../kernels/routing/spec.ts';
import { gpuTest, relativeError, runKernel } from '../gpu/harness.ts';
import { noiseSource } from './gains_site.ts';

const MAX_TOKENS = 600;
/** Two sites; the second holds two adapters. */
const adapters = [
  { region: 0, LD_ROUTE: 52, ROUTE_COLUMN: 0, experts: 16, TOP_K: 4 },
  { region: 52 * MAX_TOKENS, LD_ROUTE: 16, ROUTE_COLUMN: 0, experts: 3, TOP_K: 2 },
  { region: 52 * MAX_TOKENS, LD_ROUTE: 16, ROUTE_COLUMN: 11, experts: 1, TOP_K: 1 },
];
const table = Uint32Array.from(
  adapters.flatMap(a => [a.region, a.LD_ROUTE, a.ROUTE_COLUMN, a.experts, a.TOP_K, 0, 0, 0]),
);

/** Records as gains.forward writes them: exactly TOP_K positive gates, guards anywhere. */
function records(): Float32Array {
  const random = noiseSource(21);
  const routing = new Float32Array(68 * MAX_TOKENS);
  for (const { region, LD_ROUTE, ROUTE_COLUMN, experts, TOP_K } of adapters) {
    for (let t = 0; t < MAX_TOKENS; t++) {
      const at = region + t * LD_ROUTE + ROUTE_COLUMN;
      const logits = Array.from({ length: experts }, () => 3 * random());
      const total = logits.reduce((sum, l) => sum + Math.exp(l), 0);
      const kept = logits
        .map((l, e) => ({ l, e }))
        .sort((a, b) => b.l - a.l)
        .slice(0, TOP_K)
        .map(x => x.e);
      logits.forEach((l, e) => {
        routing[at + e] = Math.exp(l) / total;
        routing[at + experts + e] = kept.includes(e) ? Math.exp(l) / total : 0;
        routing[at + 2 * experts + e] = random() > 0.3 ? 1 : 0;
      });
      routing[at + 3 * experts] = 1;
      routing[at + 3 * experts + 1] = Math.log(total);
    }
  }
  return routing;
}

const routing = records();

for (const tokens of [0, 1, 37, MAX_TOKENS]) {
  gpuTest(`routing.stats of ${tokens} tokens`, async () => {
    const { stats } = await runKernel(
      routingStats,
      {},
      { routing, table, stats: new Float32Array(64 * adapters.length) },
      { frame: { tokens }, workgroups: [adapters.length] },
    );
    const ref = adapters.flatMap(a => [...reference(a, routing.subarray(a.region), tokens)]);
    expect(relativeError(stats, ref)).toBeLessThan(1e-6);
  });
}

test('shares sum to 1, and so do mean probabilities', () => {
  const stats = reference(adapters[0], routing, MAX_TOKENS);
  const sum = (from: number) => stats.subarray(from, from + 16).reduce((total, v) => total + v, 0);
  expect(sum(0)).toBeCloseTo(1, 12);
  expect(sum(16)).toBeCloseTo(1, 6);
});
