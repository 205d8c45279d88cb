/** Which space each token was routed to, read from the records that a forward pass leaves in `routing`. */
import type { Plan } from '../../compiler/plan/schema.ts';
import type { Executor } from '../runtime/executor.ts';
import { generate } from '../runtime/generate.ts';

/** How one adapted module treated the tokens. */
export interface SiteRoutes {
  module: string;
  adapter: string;
  layer: number;
  /** Names of the experts' spaces. */
  spaces: string[];
  /** [token][expert]: the gate; 0 where the expert was not kept. */
  gates: number[][];
}

/** Words per adapter in `routing_table`, and where a record has its gates: kernels/routing/stats.wgsl. */
const TABLE_WORDS = 8;

/** Runs a text and gives the routes of its tokens; none where the plan has no router. The cache is used up by it. */
export async function routesOf(executor: Executor, ids: readonly number[]): Promise<SiteRoutes[]> {
  const { plan } = executor;
  const table = tableOf(plan);
  if (!table || ids.length === 0) return [];
  const sites = plan.sites.map(({ module, adapter, layer, experts }): SiteRoutes => {
    const spaces = experts.map(e => e.space);
    return { module, adapter, layer, spaces, gates: [] };
  });
  const size = plan.generation!.tokens;
  for (let from = 0; from < ids.length; from += size) {
    const end = Math.min(from + size, ids.length);
    await generate(executor, [ids.slice(0, end)], { maxTokens: 1, eos: [], cached: [from] });
    for (const [i, { gates, spaces }] of sites.entries()) {
      const [offset, ld, column] = table.slice(i * TABLE_WORDS);
      const count = end - from;
      const records = await executor.readRanges('routing', [{ offset, count: count * ld }]);
      for (let t = 0; t < count; t++) {
        const first = t * ld + column + spaces.length;
        gates.push([...records.subarray(first, first + spaces.length)]);
      }
    }
  }
  return sites.filter(s => s.spaces.length > 1);
}

function tableOf({ buffers }: Plan): readonly number[] | undefined {
  const content = buffers.find(b => b.name === 'routing_table')?.content;
  return content?.kind === 'words' ? content.values : undefined;
}

/** Mean gate of each space over modules: [token] → space → weight, the weights of a token adding to 1. */
export function meanRoutes(sites: readonly SiteRoutes[], only?: string): Map<string, number>[] {
  const chosen = sites.filter(s => only === undefined || s.module === only);
  const tokens = chosen[0]?.gates.length ?? 0;
  return Array.from({ length: tokens }, (_, t) => {
    const weights = new Map<string, number>();
    let total = 0;
    for (const { spaces, gates } of chosen) {
      for (const [e, gate] of gates[t].entries()) {
        weights.set(spaces[e], (weights.get(spaces[e]) ?? 0) + gate);
        total += gate;
      }
    }
    if (total > 0) for (const [space, weight] of weights) weights.set(space, weight / total);
    return weights;
  });
}
